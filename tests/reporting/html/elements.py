"""What a browser would find in a page."""

import json
from collections import Counter
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any


class Read(HTMLParser):
    """Elements, their attributes, and the texts within."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        if self.elements:
            self.texts.append((self.elements[-1][0], data))

    def count(self) -> Counter[str]:
        return Counter(tag for tag, _ in self.elements)

    def attributes(self, tag: str, name: str) -> list[str]:
        return [attributes[name] for own, attributes in self.elements if own == tag and name in attributes]

    def all_of(self, tag: str) -> list[str]:
        return [text for own, text in self.texts if own == tag and text.strip()]

    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.all_of("script")[0])
        return found


def figures(page: str) -> dict[str, dict[str, Any]]:
    return {figure["name"]: figure for figure in Read(page).data()["figures"]}
