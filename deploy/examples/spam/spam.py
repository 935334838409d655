"""Spam or not: a naive Bayes classifier. Knows nothing of poold; `load` makes the model once in each process."""

import csv
import math
import re
from collections import Counter
from pathlib import Path

model = None


class Model:
    def __init__(self, messages):
        self.words = {"spam": Counter(), "ham": Counter()}
        self.messages = Counter()
        for label, text in messages:
            self.messages[label] += 1
            self.words[label].update(_words_of(text))
        self.vocabulary = set(self.words["spam"]) | set(self.words["ham"])
        self.totals = {label: sum(words.values()) for label, words in self.words.items()}

    def weight(self, word):
        """How much a word speaks for spam: the logarithm of how much more often it is in spam; add-one smoothing."""
        spam, ham = ((self.words[label][word] + 1) / (self.totals[label] + len(self.vocabulary))
                     for label in ("spam", "ham"))
        return math.log(spam / ham)


def _words_of(text):
    return re.findall(r"[^\W\d_]+|\d+|[$£€]", text.lower())


def load(table):
    """The initializer: reads the table of labelled messages that lies beside this file."""
    global model
    with open(Path(__file__).with_name(table), newline="", encoding="utf-8") as file:
        model = Model([(row["label"], row["text"]) for row in csv.DictReader(file)])


def classify(text, threshold=0.5):
    """Whether a message is spam, how sure that is, and the words that say so"""
    weights = {word: model.weight(word) for word in _words_of(text) if word in model.vocabulary}
    score = math.log(model.messages["spam"] / model.messages["ham"]) + sum(weights.values())
    probability = 1 / (1 + math.exp(-max(-700, min(700, score))))
    telling = sorted((word for word in weights if weights[word] > 0), key=weights.get, reverse=True)
    return {"spam": probability > threshold, "probability": round(probability, 3), "because": telling[:3]}
