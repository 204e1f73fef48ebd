"""Marks on a sheet: well-formed, escaped, where they were put."""

from xml.etree import ElementTree

from client_sim.drawing import Sheet

SVG = "{http://www.w3.org/2000/svg}"


def test_words_are_escaped_and_the_sheet_is_well_formed() -> None:
    sheet = Sheet(100, 50, "a < b", "x & y")
    sheet.words(1, 2, "<b> & 'c'")
    root = ElementTree.fromstring(sheet.svg())
    assert root.get("viewBox") == "0 0 100 50"
    assert root.findtext(f"{SVG}title") == "a < b"
    assert root.findtext(f"{SVG}text") == "<b> & 'c'"


def test_an_arrow_ends_where_it_points() -> None:
    sheet = Sheet(100, 50, "", "")
    sheet.arrow((90, 10), (10, 10))
    head = ElementTree.fromstring(sheet.svg()).find(f"{SVG}polygon")
    assert head is not None
    assert str(head.get("points")).startswith("10,10 ")


def test_every_mark_is_an_element() -> None:
    sheet = Sheet(100, 50, "", "")
    sheet.box(0, 0, 1, 1, dashed=True)
    sheet.line((0, 0), (1, 1), dashed=True)
    sheet.dot(1, 1, 1, fill="red")
    sheet.curve("M 0 0 C 1 1, 2 2, 3 3", colour="red")
    tags = [each.tag.removeprefix(SVG) for each in ElementTree.fromstring(sheet.svg())]
    assert tags == ["title", "desc", "rect", "line", "circle", "path"]


def test_a_group_says_where_it_leads_and_what_it_is() -> None:
    sheet = Sheet(100, 50, "", "")
    with sheet.group("<it>", {"data-x": '"'}, link="#there"):
        sheet.words(1, 2, "in it", halo="white")
    group = ElementTree.fromstring(sheet.svg()).find(f"{SVG}a")
    assert group is not None
    assert (group.get("href"), group.get("data-x")) == ("#there", '"')
    assert group.findtext(f"{SVG}title") == "<it>"
    assert group.findtext(f"{SVG}text") == "in it"
