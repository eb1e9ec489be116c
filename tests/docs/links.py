#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No link inside the web pages, and none between the repository's Markdown pages, leads nowhere.

    links.py HTML SOURCE
"""
import html.parser
import os
import re
import sys
import urllib.parse


class Page(html.parser.HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.names, self.links = set(), []
        with open(path, encoding="utf-8") as file:
            self.feed(file.read())

    def handle_starttag(self, tag, attributes):
        for key, value in attributes:
            if key in ("id", "name"):
                self.names.add(value)
            elif key in ("href", "src") and value:
                self.links.append(value)


def is_elsewhere(link):
    return re.match(r"[a-z]+:", link) is not None


def dead_html(folder):
    pages = {name: Page(os.path.join(folder, name)) for name in sorted(os.listdir(folder)) if name.endswith(".html")}
    for name, page in pages.items():
        for link in page.links:
            path, _, anchor = urllib.parse.unquote(link).partition("#")
            path = path or name
            if is_elsewhere(link):
                continue
            if not os.path.exists(os.path.join(folder, path)) or anchor and path in pages and anchor not in pages[path].names:
                yield "%s: %s" % (name, link)
    if sum(len(page.links) for page in pages.values()) < 1000:
        yield "the web pages have too few links to be whole"


def dead_markdown(source):
    for folder, folders, files in os.walk(source):
        folders[:] = [f for f in folders if not f.startswith((".", "build"))]
        for name in (f for f in files if f.endswith(".md")):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                text = re.sub(r"^```.*?^```$", "", file.read(), flags=re.S | re.M)
            for link in re.findall(r"(?<!`)\]\(([^)\s]+)\)", text):
                path = link.split("#")[0]
                if path and not is_elsewhere(link) and not os.path.exists(os.path.join(folder, path)):
                    yield "%s: %s" % (os.path.relpath(os.path.join(folder, name), source), link)


def main():
    dead = sorted(set(dead_html(sys.argv[1])) | set(dead_markdown(sys.argv[2])))
    print("\n".join(dead + ["%d dead links" % len(dead)]))
    sys.exit(len(dead) > 0)


if __name__ == "__main__":
    main()
