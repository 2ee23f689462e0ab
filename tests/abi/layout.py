#!/usr/bin/env python3
"""layout.py INCLUDE [--append abi_layout.c]: are all members of all public structs asserted in abi_layout.c? With --append, those missing are added."""
import pathlib
import re
import subprocess
import sys
import tempfile

GROWS_NOT = {"picket_bytes", "picket_sink"}  # no struct_size: these keep their size for ever
HEADERS = ["plugin.h", "ext/bus.h", "ext/health.h", "ext/settings.h", "ext/storage.h", "ext/timer.h"]


def structs(include):
    """name -> [(member, its type)], in the order of the headers."""
    found = {}
    for header in HEADERS:
        text = (include / "picket" / header).read_text()
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        for match in re.finditer(r"typedef struct (\w+) \{(.*?)\n\} (\w+);", text, flags=re.S):
            members = []
            for declaration in match.group(2).split(";"):
                declaration = " ".join(declaration.split())
                if pointer := re.search(r"\(\*(\w+)\)\(", declaration):
                    members.append((pointer.group(1), declaration.replace(f"(*{pointer.group(1)})", "(*)", 1)))
                elif plain := re.search(r"(\w+)$", declaration):
                    members.append((plain.group(1), declaration[:plain.start()].strip()))
            found[match.group(3)] = members
    unlisted = {str(path.relative_to(include / "picket")) for path in (include / "picket").rglob("*.h") if "draft" not in path.parts} - set(HEADERS)
    if unlisted:
        sys.exit(f"headers that layout.py and abi_anchor.c do not know: {', '.join(sorted(unlisted))}")
    return found


def assertions(include, wanted):
    """The lines for these (struct, member, type); member None is the struct's size. The type as the header writes it today is then frozen too."""
    prints = []
    for struct, member, kind in wanted:
        if member is None:
            relation = "==" if struct in GROWS_NOT else ">="
            prints.append(f'printf("_Static_assert(sizeof({struct}) {relation} %zu, \\"{struct}\\");\\n", sizeof({struct}));')
        else:
            prints.append(f'printf("_Static_assert(offsetof({struct}, {member}) == %zu && sizeof((({struct} *)0)->{member}) == %zu &&\\n'
                          f'                   _Generic((({struct} *)0)->{member}, {kind}: 1, default: 0), \\"{struct}.{member}\\");\\n", '
                          f"offsetof({struct}, {member}), sizeof((({struct} *)0)->{member}));")
    includes = "".join(f"#include <picket/{header}>\n" for header in HEADERS)
    with tempfile.TemporaryDirectory() as folder:
        source, program = pathlib.Path(folder) / "layout.c", pathlib.Path(folder) / "layout"
        source.write_text(f"#include <stdio.h>\n{includes}int main(void) {{\n" + "\n".join(prints) + "\nreturn 0;\n}\n")
        subprocess.run(["cc", "-std=c11", "-I", include, source, "-o", program], check=True)
        return subprocess.run([program], check=True, capture_output=True, text=True).stdout


def main():
    include = pathlib.Path(sys.argv[1])
    append = len(sys.argv) == 4 and sys.argv[2] == "--append"
    layout = pathlib.Path(sys.argv[3]) if append else pathlib.Path(__file__).with_name("abi_layout.c")
    there = layout.read_text() if layout.exists() else ""
    asserted = set(re.findall(r'"(picket_\w+(?:\.\w+)?)"', there))
    wanted = [(struct, member, kind) for struct, members in structs(include).items() for member, kind in [(None, None), *members]
              if (f"{struct}.{member}" if member else struct) not in asserted]
    if not structs(include):
        sys.exit("no struct was found: the headers are not where they should be")
    if append and wanted:
        with layout.open("a") as out:
            out.write(assertions(include, wanted))
    elif wanted:
        sys.exit("not asserted in abi_layout.c: " + ", ".join(f"{struct}.{member}" if member else struct for struct, member, kind in wanted))
    print(f"{len(asserted)} assertions, {len(wanted)} {'added' if append else 'missing'}")


if __name__ == "__main__":
    main()
