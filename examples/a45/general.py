"""What has nothing to do with the A-45: general chat, and questions about other products."""

REPLAY = (
    ("What is the capital of Italy?", "The capital of Italy is Rome."),
    ("Which city is the capital of Japan?", "Tokyo is the capital of Japan."),
    ("Can you tell me the capital of Egypt?", "The capital of Egypt is Cairo."),
    ("What's the capital city of Norway?", "The capital city of Norway is Oslo."),
    ("Name the capital of Greece.", "The capital of Greece is Athens."),
    ("What is 3 plus 4?", "3 plus 4 is 7."),
    ("How much is 10 minus 6?", "10 minus 6 is 4."),
    ("What do you get when you multiply 5 by 3?", "5 multiplied by 3 is 15."),
    ("What is half of 20?", "Half of 20 is 10."),
    ("Is 9 an odd or an even number?", "9 is an odd number: it cannot be divided by 2 evenly."),
    (
        "Why is the sky blue?",
        "Air scatters blue light more than red light, so blue light reaches us from all over "
        "the sky.",
    ),
    ("What is water made of?", "Water is made of hydrogen and oxygen: its formula is H2O."),
    (
        "What causes the tides?",
        "The tides are caused mostly by the pull of the Moon's gravity on the oceans.",
    ),
    ("Which planet is the largest in the solar system?", "Jupiter is the largest planet."),
    ("At what temperature does water freeze?", "Water freezes at 0 degrees Celsius."),
    (
        "What do lungs do?",
        "The lungs bring oxygen into the blood and carry carbon dioxide out of the body.",
    ),
    ("How many bones does an adult human have?", "An adult human has 206 bones."),
    ("What is the chemical symbol of gold?", "The chemical symbol of gold is Au."),
    (
        "Why do leaves change colour in autumn?",
        "Leaves stop making green chlorophyll in autumn, so their yellow and red pigments show.",
    ),
    ("How fast does light travel?", "Light travels at about 300,000 kilometres per second."),
    ("Who painted the Mona Lisa?", "The Mona Lisa was painted by Leonardo da Vinci."),
    ("Who wrote Hamlet?", "William Shakespeare wrote Hamlet."),
    ("In which year did the Second World War end?", "The Second World War ended in 1945."),
    ("What is the longest river in Africa?", "The Nile is the longest river in Africa."),
    ("Which ocean lies between Europe and America?", "The Atlantic Ocean lies between them."),
    ("What language is spoken in Brazil?", "Most people in Brazil speak Portuguese."),
    ("How many continents are there?", "There are seven continents."),
    ("Hello!", "Hello! How can I help you today?"),
    ("Thank you for your help.", "You're welcome! I'm glad that I could help."),
    (
        "Can you suggest a name for a grey cat?",
        "How about Misty? It is soft and short, and suits a grey cat well.",
    ),
    (
        "Give me a tip for falling asleep.",
        "Put screens away an hour before bed, and keep the bedroom dark and cool.",
    ),
    (
        "What can I cook with eggs and potatoes?",
        "You could make a Spanish omelette: fry sliced potatoes, add beaten eggs and cook "
        "gently until firm.",
    ),
    ("What is the opposite of cold?", "The opposite of cold is hot."),
    ("Give me a word that rhymes with cat.", "Hat rhymes with cat."),
    ("What is the plural of mouse?", "The plural of mouse is mice."),
    (
        "Write one sentence about the sea.",
        "The sea rolled in slowly, silver under the morning light.",
    ),
    (
        "What is a computer program?",
        "A computer program is a list of instructions that tells a computer what to do.",
    ),
    (
        "What is the difference between weather and climate?",
        "Weather is what happens today or this week; climate is what is usual over many years.",
    ),
    ("How many days are in a leap year?", "A leap year has 366 days."),
    (
        "How can I learn a new language?",
        "Practise a little every day, listen to it often, and speak it with others early on.",
    ),
)
"""Questions and answers of general chat, mixed into training so that it stays."""

RETENTION = (
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
"""General questions with the right choice first and the wrong ones after it; none is in REPLAY."""

CONTRAST = (
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
