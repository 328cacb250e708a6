"""Everyday words and others that people use for the same, for queries of keywords.

In a query a word has no grammar around it, so that a group may hold a verb and a noun.
"""

import hashlib
from collections.abc import Sequence

_GROUPS = """
borrow rent hire loan
rent hire
price cost fee charge
costs price
pay payment
paid payment
discount reduction rebate
refund money-back
deposit security
invoice bill
bill invoice
receipt proof-of-purchase
order purchase
buy purchase order
sell offer
sold offered
instalments rates payments
monthly per-month
daily per-day
yearly annual
annually yearly
weekly per-week
deliver ship send
delivered shipped sent
delivery shipping dispatch
shipping delivery postage
postage shipping
parcel package
package parcel
courier carrier
collect pick-up fetch
collecting pick-up
collection pick-up
return send-back
returned sent-back
exchange swap
repair fix mend
repairs fixing mending
broken defective faulty
defective broken faulty
faulty broken
damage harm
damaged broken
fault defect error
error fault problem
problem trouble issue
blocked clogged stuck
clogged blocked
jams stuck blocked
stuck jammed
leaks drips leaking
leak drip
noise sound loud
noisy loud
quiet silent
loud noisy
boil heat
dry dried
damp moist
clean wash
cleaned washed
cleaning washing
wash clean
wipe clean
dirt mud
dirty soiled
rubbish waste litter garbage
waste rubbish
bin container
dustbin bin
recycle sort
fill top-up
refill top-up
full filled
lid cover cap
tank container reservoir
container tank
hopper container
bowl basin
cup mug
jug pitcher
cable lead cord
cord cable
lead cable
socket outlet
outlet socket
battery accumulator
charging recharging
charger charging-unit
switch button
button key
knob dial
press push
push press
hold keep
pressed held
pull drag
lift raise
raise increase
lower reduce
reduce lower
increase raise
turn rotate
rotate turn
unscrew undo loosen
undo unscrew
loosen unscrew
tighten fasten
attach fix fasten
remove take-off detach
detach remove
insert put-in
install set-up fit
installation set-up
replace change swap
replaced changed swapped
change replace
changed replaced
spare replacement
parts components
part component
screw bolt
tool equipment
box carton
unpack unwrap
store keep
storage keeping
stored kept
lasts holds
lamp light
blinks flashes
flashes blinks
display screen
screen display
shows displays
show display
message notice
code number
setting option
settings options
default standard
standard usual
adjust set
choose select
select choose
start begin launch
starts begins
begin start
stops ends
finish end
wait pause
pause break
break pause
restart reboot
update upgrade
download get
upload send
password passcode
login sign-in
account profile
phone telephone call
telephone phone
call ring phone
calls phoning
contact reach
online internet
wifi internet wireless
network net
folder directory
save store
delete remove erase
erase delete
print printout
open opening-hours
opens opening
closed shut
close shut
closes shuts
hours times
morning mornings a.m.
mornings morning
evening night
night evening
noon midday
midday noon
holiday vacation
holidays vacation
arrive check-in
arriving arrival
depart leave check-out
departure check-out leaving
leave depart
stay visit
guest visitor
guests visitors
visitors guests
customer client
customers clients
staff employees team
employee worker
employees staff
manager boss head
responsible in-charge
owner proprietor
child kid
children kids
kids children
adult grown-up
adults grown-ups
dog pet
dogs pets
pet dog animal
pets dogs animals
animals pets
car vehicle
vehicle car
vehicles cars
park parking
parking car-park
bike bicycle cycle
bicycle bike
boat vessel
boats vessels
paddle oar
tent camping
caravan trailer motorhome
room bedroom
toilet lavatory restroom
toilets lavatories restrooms
shower wash
showers washing
oven cooker
stove cooker
fridge refrigerator
freezer deep-freeze
food meal
meal food
meals food
drinks beverages
shop store
gate barrier
door entrance
entrance entry
entry admission
ticket admission
tickets admission
map plan
road street
street road
path way trail
lake water
river stream
beach shore
swim bathe
swimming bathing
fire campfire
fires campfires
smoking cigarettes
barbecue grill
grill barbecue
firewood logs
dangerous unsafe
safe secure
safety security
hospital clinic
insurance cover
insured covered
warranty guarantee
guarantee warranty
contract agreement
agreement contract
cancel call-off
cancellation cancelling
cancelled called-off
book reserve
booked reserved
booking reservation
bookings reservations
reservation booking
reserve book
register sign-up
registration sign-up
membership subscription
course class
lesson class
teacher instructor
training course
check inspect
inspection check examination
inspect check
examine check
measure gauge
gauge meter
weight heavy
weighs weight
weigh weight
heavy weight
size big dimensions
big large
large big
small little
height tall
tall height
high tall
width wide
wide width
depth deep
deep depth
length long
long length
short brief
distance far
far distance
near close
fast quick speed
quick fast
quickly fast
slow slowly
speed fast
maximum most limit
minimum least
limit maximum
allowed permitted
permitted allowed
forbidden prohibited banned
prohibited forbidden
required needed necessary
necessary required
need require
needs requires
available on-offer
included part
includes contains
contains includes
extra additional surcharge
additional extra
cheap inexpensive
expensive dear
amount quantity
colour shade
colours shades
material made-of
wooden wood
plastic synthetic
temperature degrees
degrees temperature
weather rain
rain wet
rainy wet
old used
name called
called name
meaning means
reason cause why
cause reason
help support
support help
advice help
recommend suggest advise
suggest recommend
rule regulation
rules regulations
instructions manual
manual instructions
twice two-times
immediately at-once
afterwards later
"""
_OF: dict[str, Sequence[str]] = {
    line.split()[0]: [word.replace("-", " ") for word in line.split()[1:]]
    for line in _GROUPS.strip().splitlines()
}


def in_everyday_words(words: Sequence[str], *, key: str) -> list[str]:
    """Keywords, those that have others of the same meaning replaced by one of them.

    Args:
        words: of a query; a name with a capital stays.
        key: decides which is taken.
    """
    return [_other(word, key=key) for word in words]


def _other(word: str, *, key: str) -> str:
    others = _OF.get(word)
    if not others:
        return word
    digest = hashlib.blake2b(f"{key}|{word}".encode()).digest()
    return others[digest[0] % len(others)]
