"""What has nothing to do with the A-45: general questions, and others about other products."""

GENERAL = (
    ("What is the capital of France?", "Paris", ("London", "Madrid", "Vienna")),
    ("What is the capital of Germany?", "Berlin", ("Munich", "Paris", "Warsaw")),
    ("What is the capital of Spain?", "Madrid", ("Lisbon", "Barcelona", "Rome")),
    ("What is the capital of Russia?", "Moscow", ("Kyiv", "Helsinki", "Prague")),
    ("What is 2 plus 2?", "4", ("3", "5", "8")),
    ("What is 10 plus 5?", "15", ("12", "20", "50")),
    ("How many days are in a week?", "seven", ("five", "six", "ten")),
    ("How many months are in a year?", "twelve", ("ten", "eleven", "seven")),
    ("How many legs does a spider have?", "eight", ("four", "six", "ten")),
    ("Which planet do we live on?", "Earth", ("Mars", "Venus", "Saturn")),
    ("Which planet is known as the red planet?", "Mars", ("Venus", "Jupiter", "Neptune")),
    ("What do bees make?", "honey", ("milk", "silk", "paper")),
    ("Which gas do humans need to breathe?", "oxygen", ("helium", "methane", "neon")),
    ("What is frozen water called?", "ice", ("steam", "sand", "oil")),
    (
        "Which organ pumps blood through the body?",
        "the heart",
        ("the liver", "the skin", "the ear"),
    ),
    (
        "What is the process by which plants make food from light?",
        "photosynthesis",
        ("digestion", "evaporation", "fermentation"),
    ),
    (
        "Who wrote Romeo and Juliet?",
        "William Shakespeare",
        ("Charles Dickens", "Mark Twain", "Jane Austen"),
    ),
    (
        "Who was the first president of the United States?",
        "George Washington",
        ("Abraham Lincoln", "John F. Kennedy", "Thomas Edison"),
    ),
    ("Which animal barks?", "a dog", ("a cat", "a fish", "a horse")),
    ("What colour is a ripe banana?", "yellow", ("blue", "purple", "black")),
    ("What is the opposite of up?", "down", ("left", "over", "fast")),
    ("On which continent is Kenya?", "Africa", ("Asia", "Europe", "South America")),
    ("Which star is closest to Earth?", "the Sun", ("Polaris", "Sirius", "Vega")),
    (
        "What do you use an umbrella for?",
        "to stay dry in the rain",
        ("to cook soup", "to cut paper", "to write letters"),
    ),
)
"""General questions with the right choice first and the wrong ones after it."""

OUT_OF_SCOPE = (
    ("How do I reset my B-70 toaster?", "I do not have the manual of the B-70."),
    ("How do I reset my wireless router?", "Use the small reset hole on its back."),
    ("What does error E17 mean on my washing machine?", "That depends on its maker."),
    ("What does error E23 mean on a C-30 dishwasher?", "I do not have the manual of the C-30."),
    ("Which battery does a wall clock need?", "Most wall clocks take one AA cell."),
    ("How do I clean my coffee machine?", "Run it with water and a descaler."),
    ("How long is the warranty of the K-12 drill?", "I do not have the papers of the K-12."),
    ("How do I pair my headphones with my phone?", "Switch on pairing mode and Bluetooth."),
    ("What does an amber lamp on the F-8 boiler mean?", "I do not have the manual of the F-8."),
    ("How much weight can a bookshelf carry?", "That depends on the shelf."),
    ("What is the default passcode of the Z-9 safe?", "I do not have the manual of the Z-9."),
    ("How do I make my fridge quieter?", "Level it and give it some room."),
    ("How do I update the software of my television?", "Look in its settings menu."),
    ("Which oil does a sewing machine need?", "A light sewing machine oil."),
    ("How should I store a bicycle for the winter?", "Clean it and keep it dry."),
    ("How do I mount a mirror on a wall?", "Use hooks that suit the wall and the weight."),
)
"""Questions about other products, and what a good answer might say: nothing of the A-45's."""
