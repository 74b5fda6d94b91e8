#!/usr/bin/env python3
"""The schemas of --json, as tests hold real output against them: what is not described is an error here.

schema.py FOLDER NAME <OUTPUT    every document of the output is valid; prints the members that it has, `NAME a.b.c` a line
schema.py FOLDER --kept FILES    the same for every file of a folder, which has the name of its schema
schema.py FOLDER --members       all members that the schemas describe, but not again where one refers to another
schema.py FOLDER --tidy APPLETS  what is wrong with the schemas themselves
"""
import json
import os
import re
import sys

import jsonschema

FOLDER = sys.argv[1]


def load(name):
    """The schema, with those of other files in place of what refers to them, and open to nothing more."""
    with open(os.path.join(FOLDER, name + ".json"), encoding="utf-8") as file:
        schema = json.load(file)
    other = schema.get("$ref", "")
    if other.endswith(".json"):
        schema = {**load(other[:-5]), "title": schema["title"]}
    schema["alias"] = other
    close(schema)
    return schema


def close(schema):
    if isinstance(schema, list):
        for one in schema:
            close(one)
    elif isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            schema.setdefault("additionalProperties", False)
        for one in schema.values():
            close(one)


def target(root, schema):
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def members(root, schema, path=""):
    """Every member that is described, with the schema of its value."""
    schema = target(root, schema)
    for one in schema.get("anyOf", []):
        yield from members(root, one, path)
    if "items" in schema:
        yield from members(root, schema["items"], path)
    for key, value in schema.get("properties", {}).items():
        yield path + key, value
        yield from members(root, value, path + key + ".")


def had(value, path=""):
    if isinstance(value, list):
        for one in value:
            yield from had(one, path)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield path + key
            yield from had(one, path + key + ".")


def names():
    return sorted(name[:-5] for name in os.listdir(FOLDER))


def check(name, output):
    schema = load(name)
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    text, decoder, found, count = output.read().strip(), json.JSONDecoder(), set(), 0
    while text:
        document, end = decoder.raw_decode(text)
        text, count = text[end:].lstrip(), count + 1
        for error in validator.iter_errors(document):
            sys.exit("%s: /%s: %s" % (name, "/".join(map(str, error.absolute_path)), error.message[:2000]))
        found.update(had(document))
    if not count:
        sys.exit("%s: no output" % name)
    for member in sorted(found):
        print(name, member)


def tidy(applets):
    for name in names():
        with open(os.path.join(FOLDER, name + ".json"), encoding="utf-8") as file:
            text = file.read()
        schema = load(name)
        jsonschema.Draft202012Validator.check_schema(schema)
        if text != json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n":
            print(name, "is not indented by two, or ends otherwise")
        if not schema["title"].startswith(command(name, applets)):
            print(name, "has the title", schema["title"])
        for member, value in members(schema, schema):
            description = target(schema, value).get("description", "") or value.get("items", {}).get("description", "")
            if "properties" not in target(schema, value.get("items", value)) and \
                    not re.fullmatch(r"[-a-zA-Z][^\n]*([^.]|[.]{3})", description):
                print(name, member, "has no description, or one with a period")


def command(name, applets):
    """`ipam-list` is `ipam list`; `policy-iptables-lint` has a hyphen of its own."""
    for applet in applets:
        name = re.sub("^%s-" % re.escape(applet), applet + " ", name)
    return "cnibox %s --json: " % name


if sys.argv[2] == "--members":
    for one in names():
        root = load(one)
        if not root["alias"]:
            print("\n".join(sorted({one + " " + member for member, _ in members(root, root)})))
elif sys.argv[2] == "--tidy":
    tidy(sys.argv[3:])
elif sys.argv[2] == "--kept":
    for one in sorted(os.listdir(sys.argv[3])):
        with open(os.path.join(sys.argv[3], one), encoding="utf-8") as kept:
            check(one, kept)
else:
    check(sys.argv[2], sys.stdin)
