"""Every colour that is used is defined, for light and for dark."""

import re

from client_sim.chart import colours


def test_names_are_defined_twice() -> None:
    used = [
        value for name, value in vars(colours).items() if name.isupper() and "var(" in str(value)
    ]
    used += [colours.of_device(number) for number in range(20)]
    sheet = colours.style_sheet()
    for value in used:
        name = re.sub(r"var\((.*)\)", r"\1", value)
        assert sheet.count(f"{name}:") == 2
