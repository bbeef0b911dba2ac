#!/usr/bin/env bash
# Makes ymir-2.3.0.tar.xz anew, with the real command: Python 3.8, pip install ymir-cmd==2.3.0 pycocotools.
#   PATH=that environment's bin:$PATH bash make.sh
set -euo pipefail

export GIT_AUTHOR_NAME=ymir GIT_AUTHOR_EMAIL=ymir@localhost GIT_COMMITTER_NAME=ymir GIT_COMMITTER_EMAIL=ymir@localhost
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=init.defaultBranch GIT_CONFIG_VALUE_0=master
target=$PWD/ymir-2.3.0.tar.xz
cd "$(mktemp -d)"
mkdir -p src/images src/gt src/pred repo assets

python - <<'PY'
import random
from PIL import Image

random.seed(1)


def element(name, content):
    return "<%s>%s</%s>" % (name, content, name)


def document(name, objects, checks, quality):
    def one(label, x, y, right, bottom, angle, more):
        corners = [("xmin", x), ("ymin", y), ("xmax", right), ("ymax", bottom), ("rotate_angle", angle)]
        box = element("bndbox", "".join(element(*corner) for corner in corners))
        return element("object", element("name", label) + box + element("difficult", 0) + more)

    size = element("size", element("width", 32) + element("height", 24) + element("depth", 3))
    extra = element("cks", "".join(element(*check) for check in checks)) if checks else ""
    extra += element("image_quality", quality) if quality else ""
    return element("annotation", element("filename", name) + size + extra + "".join(one(*o) for o in objects))


for i in range(6):
    name = "p%d.jpg" % i
    image = Image.new("RGB", (32, 24))
    image.putdata([(random.randrange(256), random.randrange(256), i * 40) for _ in range(32 * 24)])
    image.save("src/images/" + name, quality=40)
    cat = ("cat", 1 + i, 2, 10 + i, 12, 0, element("box_quality", 0.5) + element("tags", element("pose", "left")))
    tv = ("tv", 3, 4, 8, 9, 0.25 if i == 1 else 0, "")
    objects = [] if i == 5 else [cat, tv][: 1 + i % 2]
    checks = [("city", "berlin")] if i % 2 else []
    if i != 4:
        open("src/gt/p%d.xml" % i, "w").write(document(name, objects, checks, 0.75 if i == 2 else None))
    if i < 3:
        found = [("cat", 2 + i, 3, 11, 12, 0, element("confidence", 0.9))]
        found += [("dog", 3, 4, 20, 20, 0, element("confidence", 0.25))]
        open("src/pred/p%d.xml" % i, "w").write(document(name, found, [], None))
PY

find "$PWD"/src/images -name 'p[0-3].jpg' | sort > train.tsv
find "$PWD"/src/images -name 'p[3-5].jpg' | sort > val.tsv
cd repo
common=(--gt-dir ../src/gt --gen-dir ../assets --src-revs master --unknown-types-strategy add --anno-type det-box)
mir init
mir import --index-file ../train.tsv --pred-dir ../src/pred --dst-rev train@import -w "$PWD/../w1" "${common[@]}"
mir import --index-file ../val.tsv --dst-rev val@import -w "$PWD/../w2" "${common[@]}"
mir merge --src-revs 'tr:train@import;va:val@import' --dst-rev all@merged -s host -w "$PWD/../w3"
mir filter --src-revs all@merged --dst-rev all@cats -p cat -w "$PWD/../w4"
mir filter --src-revs all@merged --dst-rev all@failed -p nothing -w "$PWD/../w5" || true
rm -rf .git/hooks .mir_lock
cd ..
tar -cJf "$target" repo assets
