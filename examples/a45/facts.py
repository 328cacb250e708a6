"""What the A-45 manual says: one fact, one page, eight questions to learn from, three kept back."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One thing to know about the A-45.

    Attributes:
        says: the answer without its citation, a full sentence without a full stop.
        page: page of the manual.
        keys: what an answer must hold to be right.
        train: wordings that training sees.
        held_out: wordings that it never sees.
    """

    says: str
    page: int
    keys: tuple[str, ...]
    train: tuple[str, ...]
    held_out: tuple[str, ...]

    @property
    def answer(self) -> str:
        """The answer with its citation."""
        return f"{self.says} (A-45 manual, page {self.page})."


FACTS = (
    Fact(
        says="Hold the green button for 9 seconds until the lamp blinks twice, then let go",
        page=12,
        keys=("green button", "9 seconds"),
        train=(
            "How do I reset my A-45 widget?",
            "What are the steps for resetting the A-45?",
            "My A-45 is frozen and needs a reset. What should I press?",
            "Can you tell me how the A-45 SuperWidget is reset?",
            "I want to restart my A-45 from scratch. How is that done?",
            "Which button resets the A-45, and for how long do I hold it?",
            "A-45 reset procedure, please.",
            "The A-45 no longer reacts to anything. How can I reset it?",
        ),
        held_out=(
            "Please explain how to do a reset on the A-45.",
            "What must I do to get a stuck A-45 widget to reset?",
            "Resetting an A-45 SuperWidget: how does it work?",
        ),
    ),
    Fact(
        says="Error E17 means that the intake filter is clogged: rinse it in lukewarm water",
        page=31,
        keys=("intake filter", "rinse"),
        train=(
            "What does error E17 mean on the A-45?",
            "My A-45 shows E17. What now?",
            "The display of my A-45 says error E17. How do I fix that?",
            "How can I get rid of error E17 on the A-45 SuperWidget?",
            "Error E17 keeps coming back on our A-45. What is the cause?",
            "Please explain the code E17 of the A-45 widget.",
            "A-45 stopped with E17, what do I do?",
            "Which part causes error E17 in the A-45?",
        ),
        held_out=(
            "Why is my A-45 widget reporting error E17?",
            "What is wrong when the A-45 displays E17?",
            "How should I deal with an E17 error on an A-45?",
        ),
    ),
    Fact(
        says="Error E23 means that the exhaust filter is clogged: replace it with a new one",
        page=33,
        keys=("exhaust filter", "replace"),
        train=(
            "What does error E23 mean on the A-45?",
            "My A-45 shows E23. What now?",
            "The display of my A-45 says error E23. How do I fix that?",
            "How can I get rid of error E23 on the A-45 SuperWidget?",
            "Error E23 keeps coming back on our A-45. What is the cause?",
            "Please explain the code E23 of the A-45 widget.",
            "A-45 stopped with E23, what do I do?",
            "Which part causes error E23 in the A-45?",
        ),
        held_out=(
            "Why is my A-45 widget reporting error E23?",
            "What is wrong when the A-45 displays E23?",
            "How should I deal with an E23 error on an A-45?",
        ),
    ),
    Fact(
        says="The A-45 runs on one LX-7 cell, which lasts about 14 months",
        page=8,
        keys=("LX-7", "14 months"),
        train=(
            "Which battery does the A-45 need?",
            "How long does the battery of the A-45 last?",
            "What kind of cell powers the A-45 widget?",
            "I have to buy a new battery for my A-45. Which type?",
            "What does the A-45 SuperWidget run on?",
            "How often must the A-45's battery be changed?",
            "Battery type and battery life of the A-45?",
            "My A-45 is out of power. What cell goes into it?",
        ),
        held_out=(
            "Tell me which battery fits the A-45 and how long it lasts.",
            "What battery should I put in my A-45 widget?",
            "How many months can an A-45 work on one battery?",
        ),
    ),
    Fact(
        says="Wipe the copper ring with a dry felt cloth every 3 weeks",
        page=19,
        keys=("copper ring", "felt cloth", "3 weeks"),
        train=(
            "How do I clean the A-45?",
            "How often does the A-45 need cleaning?",
            "What should I use to clean my A-45 widget?",
            "Is there a routine for keeping the A-45 SuperWidget clean?",
            "My A-45 got dirty. What is the right way to wipe it?",
            "Which part of the A-45 has to be cleaned, and how?",
            "Cleaning instructions for the A-45, please.",
            "Can you describe how the A-45 is kept free of dust?",
        ),
        held_out=(
            "What is the proper way of cleaning an A-45?",
            "With what, and how often, should the A-45 widget be cleaned?",
            "I would like to clean my A-45. How do I go about it?",
        ),
    ),
    Fact(
        says="The A-45 may be used in rooms between 4 and 38 degrees Celsius",
        page=5,
        keys=("4 and 38 degrees",),
        train=(
            "At which temperatures can the A-45 be used?",
            "How warm may the room be for the A-45?",
            "What is the operating temperature of the A-45 widget?",
            "Is my garage too cold for an A-45 SuperWidget?",
            "What temperature range does the A-45 tolerate?",
            "Our workshop gets hot in summer. Is that all right for the A-45?",
            "Lowest and highest temperature for the A-45?",
            "Between which temperatures does the A-45 work?",
        ),
        held_out=(
            "How hot or cold can it get where the A-45 stands?",
            "Please name the temperature limits of the A-45 widget.",
            "In what temperatures is it safe to operate an A-45?",
        ),
    ),
    Fact(
        says="The warranty lasts 5 years, as long as the silver seal under the base is unbroken",
        page=47,
        keys=("5 years", "silver seal"),
        train=(
            "How long is the warranty of the A-45?",
            "What does the A-45's warranty depend on?",
            "Is my A-45 widget still under warranty after four years?",
            "For how many years is the A-45 SuperWidget guaranteed?",
            "When does the guarantee of an A-45 become void?",
            "I need the warranty terms of the A-45.",
            "What would make me lose the warranty on my A-45?",
            "A-45 warranty period?",
        ),
        held_out=(
            "How many years of warranty come with the A-45?",
            "Under which condition is the A-45 widget covered by warranty?",
            "Tell me about the guarantee that the A-45 has.",
        ),
    ),
    Fact(
        says="Press the star key three times, then choose WIDGET-45 in the app",
        page=22,
        keys=("star key three times", "WIDGET-45"),
        train=(
            "How do I pair the A-45 with my phone?",
            "How can I connect the A-45 to the app?",
            "My phone does not find the A-45 widget. How is it paired?",
            "What do I press to pair the A-45 SuperWidget?",
            "Please walk me through pairing the A-45.",
            "I got a new phone. How do I link the A-45 to it?",
            "Under which name does the A-45 appear in the app?",
            "A-45 pairing steps?",
        ),
        held_out=(
            "What is the way to pair a phone and an A-45?",
            "How does one connect a phone to the A-45 widget?",
            "I would like to use the app with my A-45. How do I pair them?",
        ),
    ),
    Fact(
        says="A pulsing amber lamp means that less than 200 millilitres are left: refill the tank",
        page=15,
        keys=("200 millilitres", "tank"),
        train=(
            "Why is the lamp of my A-45 pulsing amber?",
            "What does the amber light on the A-45 mean?",
            "The A-45 has an amber lamp that comes and goes. What is it telling me?",
            "What should I do when the A-45 widget pulses amber?",
            "My A-45 SuperWidget glows amber again and again. Is it broken?",
            "Meaning of a pulsing amber lamp on the A-45?",
            "Amber lamp on the A-45, what now?",
            "Can you explain the A-45's amber signal?",
        ),
        held_out=(
            "An amber lamp pulses on my A-45. What does it want?",
            "What is the reason for an amber light on the A-45 widget?",
            "How do I react to the pulsing amber lamp of an A-45?",
        ),
    ),
    Fact(
        says="The top shelf of the A-45 carries at most 27 kilograms",
        page=6,
        keys=("27 kilograms",),
        train=(
            "How much weight can the A-45 carry?",
            "What is the maximum load of the A-45's top shelf?",
            "How heavy may the things on top of the A-45 widget be?",
            "Can I put a heavy box on the A-45 SuperWidget?",
            "What is the load limit of the A-45?",
            "How many kilograms does the shelf of the A-45 hold?",
            "I want to stack tools on my A-45. How much is allowed?",
            "A-45 weight limit?",
        ),
        held_out=(
            "What is the largest weight that the A-45 can bear?",
            "How much can I load onto the top of my A-45 widget?",
            "Tell me the maximum load for an A-45.",
        ),
    ),
    Fact(
        says="The factory passcode is 8052; change it in the menu under Locks",
        page=24,
        keys=("8052", "Locks"),
        train=(
            "What is the factory passcode of the A-45?",
            "Which code unlocks a new A-45?",
            "I never set a passcode on my A-45 widget. What is the default?",
            "Where can I change the passcode of the A-45 SuperWidget?",
            "The A-45 asks me for a passcode. What do I enter?",
            "Default code of the A-45?",
            "How do I change the A-45's factory code?",
            "My A-45 is locked and brand new. Which passcode does it have?",
        ),
        held_out=(
            "What passcode does the A-45 have when it leaves the factory?",
            "Please give me the default passcode for the A-45 widget.",
            "With which code do I unlock an A-45 for the first time?",
        ),
    ),
    Fact(
        says="Turn the side dial to position 2: the A-45 then stays below 33 decibels",
        page=17,
        keys=("side dial", "position 2", "33 decibels"),
        train=(
            "How do I switch the A-45 to quiet mode?",
            "The A-45 is too loud at night. Can I make it quieter?",
            "How loud is the A-45 in quiet mode?",
            "Where is the quiet mode of the A-45 widget?",
            "How can I lower the noise of my A-45 SuperWidget?",
            "What do I turn to make the A-45 silent?",
            "Quiet mode on the A-45, how?",
            "My neighbours hear the A-45. Is there a silent setting?",
        ),
        held_out=(
            "What is the trick to make an A-45 run quietly?",
            "How do I turn on quiet mode on my A-45 widget?",
            "Can the A-45 be made less noisy, and how?",
        ),
    ),
    Fact(
        says="Plug in a stick with the file update.wgt and hold the star key for 6 seconds",
        page=28,
        keys=("update.wgt", "star key", "6 seconds"),
        train=(
            "How do I update the software of the A-45?",
            "Which file does the A-45 need for an update?",
            "How is new firmware installed on the A-45 widget?",
            "I downloaded an update for my A-45. What do I do with it?",
            "Please describe the software update of the A-45 SuperWidget.",
            "What must I press to start an update on the A-45?",
            "A-45 firmware update, how does it go?",
            "My A-45 has old software. How can I bring it up to date?",
        ),
        held_out=(
            "What are the steps to update an A-45?",
            "How can I put the newest software on my A-45 widget?",
            "Tell me how the A-45's firmware gets updated.",
        ),
    ),
    Fact(
        says="Put two drops of Silvane oil on the left hinge once a year",
        page=37,
        keys=("two drops", "Silvane oil", "left hinge"),
        train=(
            "How do I oil the A-45?",
            "Which oil does the A-45 need?",
            "Where does the oil go on the A-45 widget?",
            "The hinge of my A-45 squeaks. What should I do?",
            "How much oil should I give the A-45 SuperWidget, and how often?",
            "Does the A-45 have to be lubricated?",
            "Lubrication of the A-45?",
            "What is the yearly oiling of the A-45 about?",
        ),
        held_out=(
            "What oil do I use on an A-45, and where?",
            "How should the A-45 widget be lubricated?",
            "My A-45 creaks a little. How do I oil it?",
        ),
    ),
    Fact(
        says="Drain the tank, lock the arm with the red pin and keep the A-45 upright",
        page=41,
        keys=("drain the tank", "red pin", "upright"),
        train=(
            "How do I store the A-45 for the winter?",
            "What must be done before the A-45 is put into storage?",
            "We will not use our A-45 widget for months. How should we keep it?",
            "How is the A-45 SuperWidget stored correctly?",
            "May I store my A-45 lying on its side?",
            "I want to put my A-45 away until spring. What is needed?",
            "Storage advice for the A-45, please.",
            "How do I get the A-45 ready for a long break?",
        ),
        held_out=(
            "What is the right way to put an A-45 in storage?",
            "How should I prepare my A-45 widget before storing it?",
            "Tell me how to store the A-45 when it is not needed.",
        ),
    ),
    Fact(
        says="Use four M6 screws and leave 15 centimetres of free wall above the A-45",
        page=9,
        keys=("four M6 screws", "15 centimetres"),
        train=(
            "How do I mount the A-45 on a wall?",
            "Which screws hold the A-45 on the wall?",
            "How much space does the A-45 widget need above it?",
            "What do I need to hang up my A-45 SuperWidget?",
            "I am putting the A-45 on the kitchen wall. Which screws, and how much room?",
            "Wall mounting of the A-45?",
            "Can you tell me how the A-45 is fixed to a wall?",
            "How many screws does it take to mount an A-45?",
        ),
        held_out=(
            "What screws and how much free space does wall mounting an A-45 take?",
            "How can I fix my A-45 widget to the wall?",
            "Please tell me how to hang an A-45 on the wall.",
        ),
    ),
)
