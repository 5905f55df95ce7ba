"""The vocabulary of the demo: what todos, notes and people are called.

Some words are not ASCII on purpose: positions in a text count characters, not bytes.
"""

from __future__ import annotations

__all__ = ["DAYS", "PEOPLE", "PLACES", "ROLES", "SKILLS", "TAGS", "THINGS", "VERBS", "WORDS"]

VERBS = ("Buy", "Fix", "Paint", "Order", "Clean", "Return", "Find", "Sell", "Measure", "Borrow")
THINGS = (
    "the garden chairs",
    "a new kettle",
    "the bicycle lamp",
    "jalapeños for Sunday",
    "the letter box",
    "two train tickets",
    "the kitchen window",
    "some crème fraîche",
    "the library books",
    "a longer ladder",
    "the tomato seeds",
    "the music for the party",
)
TAGS = ("home", "garden", "urgent", "cheap", "party", "later", "ask", "café")
PEOPLE = (
    "Ada",
    "Björn",
    "Chidi",
    "Dolores",
    "Emre",
    "Farah",
    "Grace",
    "Hiro",
    "Inés",
    "Jamal",
    "Katya",
    "Lucía",
    "Malik",
    "Nora",
    "Oluwa",
    "Priya",
)
ROLES = ("cook", "driver", "gardener", "treasurer", "painter", "host", "musician", "neighbour")
SKILLS = ("ladder", "guitar", "spreadsheets", "baking", "plumbing", "日本語", "knots")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PLACES = ("office", "café", "garden", "library", "kitchen", "station", "Café Müller", "roof")
WORDS = (
    "bread",
    "rice",
    "tea",
    "lemons",
    "café",
    "after",
    "lunch",
    "bring",
    "the",
    "blue",
    "box",
    "call",
    "Ana",
    "about",
    "paint",
    "not",
    "too",
    "early",
    "寿司",
    "maybe",
    "both",
    "keys",
    "under",
    "mat",
    "smörgås",
    "ask",
    "again",
    "before",
    "rain",
    "comes",
    "two",
    "more",
    "chairs",
    "🍋",
    "and",
    "music",
)
