"""Emoji as coloured pictures: a folder for each category, out of the packages that two sets of them are published in.

    npm pack emoji-datasource-google@16.0.0 emoji-datasource-twitter@16.0.0
    python -m benchmarks.accuracy.emoji FOLDER emoji-datasource-*.tgz
    python flows/full_pipeline.py --profile quick --data FOLDER --image-size 32 --group-pattern '^([0-9a-f-]+)_'

PNG of 64 × 64 with transparency, some with a palette: 3,792 and 3,791 of them in nine categories. What is to be told is
the category that Unicode puts an emoji in. All pictures of one emoji, both designers' and in every colour of skin and
hair, are a group: their names begin with its code, so that none is on both sides of a split. Nothing is kept here:
Google's Noto is under the SIL Open Font License, Twitter's Twemoji under CC BY 4.0.
"""

from __future__ import annotations

import argparse
import json
import re
import tarfile
from pathlib import Path
from typing import Any

PICTURE = re.compile(r"package/img/(\w+)/64/([0-9a-f-]+)\.png")
NOT_SHOWN_ALONE = "Component"  # colours of skin and hair


def write_pictures(package: Path, folder: Path) -> int:
    """Writes a package's pictures to folders of their categories, and returns how many.

    Args:
        package: As `npm pack` leaves it.
        folder: Where to.
    """
    written = 0
    with tarfile.open(package) as archive:
        listed = archive.extractfile("package/emoji.json")
        assert listed is not None
        known = _categories(json.load(listed))
        for member in archive:
            found = PICTURE.fullmatch(member.name)
            content = archive.extractfile(member) if found else None
            if not found or content is None or found[2] not in known:
                continue
            category, emoji = known[found[2]]
            path = folder / category / f"{emoji}_{found[1]}_{found[2]}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read())
            written += 1
    return written


def _categories(listed: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """For each picture's name, its category and the code of its emoji, whatever its colours."""
    known = {}
    for emoji in listed:
        if emoji["category"] != NOT_SHOWN_ALONE:
            for one in (emoji, *emoji.get("skin_variations", {}).values()):
                known[Path(one["image"]).stem] = emoji["category"], emoji["unified"].lower()
    return known


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to write them")
    parser.add_argument("packages", type=Path, nargs="+", help="as npm pack leaves them")
    chosen = parser.parse_args()
    for one in chosen.packages:
        write_pictures(one, chosen.folder)
