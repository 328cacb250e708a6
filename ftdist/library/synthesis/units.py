"""Units of values in words, as questions name them: "kilograms" for "4.2 kg"."""

import re

_WORDS = {
    "kg": "kilograms",
    "kgs": "kilograms",
    "g": "grams",
    "mg": "milligrams",
    "t": "tonnes",
    "lb": "pounds",
    "lbs": "pounds",
    "oz": "ounces",
    "mm": "millimetres",
    "cm": "centimetres",
    "m": "metres",
    "km": "kilometres",
    "in": "inches",
    "inch": "inches",
    '"': "inches",
    "ft": "feet",
    "l": "litres",
    "L": "litres",
    "ml": "millilitres",
    "cl": "centilitres",
    "W": "watts",
    "kW": "kilowatts",
    "V": "volts",
    "A": "amps",
    "mA": "milliamps",
    "mAh": "milliamp hours",
    "Ah": "amp hours",
    "Wh": "watt hours",
    "kWh": "kilowatt hours",
    "Hz": "hertz",
    "kHz": "kilohertz",
    "h": "hours",
    "hrs": "hours",
    "hr": "hours",
    "min": "minutes",
    "mins": "minutes",
    "s": "seconds",
    "sec": "seconds",
    "dB": "decibels",
    "dB(A)": "decibels",
    "lm": "lumens",
    "EUR": "euros",
    "\u20ac": "euros",
    "USD": "dollars",
    "$": "dollars",
    "GBP": "pounds",
    "\u00a3": "pounds",
    "CHF": "francs",
    "MB": "megabytes",
    "GB": "gigabytes",
    "TB": "terabytes",
    "m\u00b2": "square metres",
    "m2": "square metres",
    "sqm": "square metres",
    "m\u00b3": "cubic metres",
    "bar": "bar",
    "psi": "psi",
    "Nm": "newton metres",
    "rpm": "revolutions per minute",
    "MP": "megapixels",
    "kcal": "kilocalories",
    "K": "kelvin",
    "years": "years",
    "year": "years",
}
_IN_WORDS = re.compile(
    r"^(?:(?:square|cubic) )?(?:litre|liter|metre|meter|kilo|kilogram|gram|hour|minute|second|day|"
    r"week|month|year|watt|volt|amp|euro|dollar|pound|centimetre|centimeter|millimetre|millimeter|"
    r"kilometre|kilometer|decibel|lumen|gigabyte|megabyte|page|person|people|piece|working day)s?$"
)
_QUANTITY = re.compile(
    r"^(?:(?:about|up to|approx\.?|ca\.?|max\.?|over|at least|from) )?"
    r"(?P<sign>[$\u20ac\u00a3])?\s?\d[\d.,]*(?:(?: to |\s?[-\u2013]\s?)\d[\d.,]*)?"
    r"\s*(?P<unit>\D*)$"
)

_CURRENCY = "EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|CZK|HUF|CAD|AUD|NZD|JPY"
MONEY = re.compile(
    rf"^(?:(?:from|about|up to|approx\.?) )?(?:[$\u20ac\u00a3] ?\d|(?:{_CURRENCY}) ?\d"
    rf"|\d[\d.,]* ?(?:[$\u20ac\u00a3]|(?:{_CURRENCY}|euros?|dollars?|pounds?|francs?|cents?|pence)"
    r"\b))",
    re.IGNORECASE,
)
"""An amount of money at the start of a value."""


def unit_in_words(value: str) -> str:
    """The unit of a value in the plural, such as "litres"; "" if it has none that is known."""
    match = _QUANTITY.match(value)
    if not match:
        return ""
    unit = (match["sign"] or match["unit"]).strip()
    if _IN_WORDS.match(unit):
        return unit if unit.endswith("s") or unit == "people" else f"{unit}s"
    return _WORDS.get(unit, "")
