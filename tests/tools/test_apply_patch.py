"""Patches in both formats: what they do, what they refuse, and what a person and the model get to know."""

import pytest

from patchbay.tools.events import Decision, Outcome


def envelope(*lines: str) -> str:
    return "\n".join(["*** Begin Patch", *lines, "*** End Patch"])


def update(*lines: str, path: str = "f") -> str:
    return envelope(f"*** Update File: {path}", *lines)


async def applied(bench, patch: str, **files: str | bytes):
    for name, content in files.items():
        bench.file(name, content)
        await bench.run("read", path=name)
    return await bench.run("apply_patch", patch=patch)


@pytest.mark.parametrize(
    ("before", "lines", "after"),
    [
        ("a\nb\n", ["@@", "-b", "+B"], "a\nB\n"),
        ("a\nb\n", [" a", "-b", "+B"], "a\nB\n"),
        ("a\nb\nc\nd\n", ["@@", " a", "-b", "+B", "@@", " c", "-d", "+D"], "a\nB\nc\nD\n"),
        ("a\n", ["@@", "+b", "+c"], "a\nb\nc\n"),
        ("a", ["@@", "+b"], "a\nb\n"),
        ("a\nb", ["@@", "-a", "+A"], "A\nb"),
        ("a\nb", ["@@", "-b", "+B"], "a\nB\n"),
        ("a\nb\nc\n", ["@@", "+end", "@@", " a", "-b", "-c", "+x"], "a\nx\nend\n"),
        ("a\r\nb\r\n", ["@@", " a", "+x"], "a\r\nx\r\nb\r\n"),
        ("a\r\nb\nc\r\nd\n", ["@@", "-b", "+B", "@@", "-c", "+C"], "a\r\nB\nC\r\nd\n"),
        ("x\ny\nx\n", ["@@", "-x", "+1", "@@", "-x", "+2"], "1\ny\n2\n"),
        ("x\n  x\n", ["@@", "-x", "+1", "@@", "-x", "+2"], "1\n  2\n"),
        ("def a():\n    return 1\ndef b():\n    return 1\n", ["@@ def b():", "-    return 1", "+    return 2"],
         "def a():\n    return 1\ndef b():\n    return 2\n"),
        ("class A(X):\n  def f(self):\n    p\nclass B(X):\n  def f(self):\n    p\n",
         ["@@ class B", "@@ def f(self):", "-    p", "+    q"],
         "class A(X):\n  def f(self):\n    p\nclass B(X):\n  def f(self):\n    q\n"),
        ("def f():\n    x\n", ["@@ def f():", " def f():", "-    x", "+    y"], "def f():\n    y\n"),
        ("def f():\n    x\ndef g():\n", ["@@ def f():", "+    w"], "def f():\n    w\n    x\ndef g():\n"),
        ("x\na\nx\n", ["@@", "-x", "+end", "*** End of File"], "x\na\nend\n"),
        ("a\n\nb\n", ["@@", " a", "", "-b", "+B"], "a\n\nB\n"),
        ("a\nb\n", ["@@", "-b", "+B", "", ""], "a\nB\n"),
        ("a\nb\nc\n", ["@@", "-a", "+A", "", "@@", "-c", "+C"], "A\nb\nC\n"),
        ("if x:\n    a\n    b\n", ["@@", "-a", "+A", "+  deep"], "if x:\n    A\n      deep\n    b\n"),
        ("say “hi”\n", ["@@", '-say "hi"', "+done"], "done\n"),
        ("a  \nb\n", ["@@", " a", "-b", "+B"], "a  \nB\n"),
        ("x\nb\nx\nb\n", ["@@ -3,2 +3,2 @@", " x", "-b", "+B"], "x\nb\nx\nB\n"),
        ("a\n", ["@@", "-a"], ""),
        ("", ["@@", "+a"], "a\n"),
        ("*** Delete File: g\na\n", ["@@", " *** Delete File: g", "-a", "+*** End Patch"],
         "*** Delete File: g\n*** End Patch\n"),
    ],
)  # fmt: skip
async def test_updates(bench, before: str, lines: list[str], after: str) -> None:
    result = await applied(bench, update(*lines), f=before)
    assert result.outcome is Outcome.OK, result.content
    assert (bench.root / "f").read_bytes().decode() == after


@pytest.mark.parametrize(
    ("before", "lines", "kind"),
    [
        ("a\nb\na\n", ["@@", "-a", "+A"], "ambiguous"),
        ("x\ny\nx\nz\nx\n", ["@@", "-x", "+1", "@@", "-x", "+2"], "ambiguous"),
        ("f\n p\nf\n p\n", ["@@ f", "- p", "+ q"], "ambiguous"),
        ("a\nb\n", ["@@", "-c", "+C"], "not_found"),
        ("a\nb\n", ["@@", "-b", "+B", "@@", "-a", "+A"], "not_found"),
        ("a\nb\nc\n", ["@@", " a", "-b", "+B", " c", "@@", " c", "+d"], "not_found"),
        ("a\nb\n", ["@@ nothing like it", "-b", "+B"], "not_found"),
        ("x\na\nx\n", ["@@", "-a", "+end", "*** End of File"], "not_found"),
        ("a\nb\nc\nd\n", ["@@", "-b", "+B", "", "-d", "+D"], "not_found"),
        ("ab\n", ["@@", "-a\u200bb", "+x"], "not_found"),
        ("a\n", ["@@", "-a", "+a"], "no_change"),
        ("a\n", ["@@"], "parse"),
        ("a\n", ["@@", " a"], "parse"),
        ("a\n", ["@@", "bad"], "parse"),
        ("a\n", ["@@", "-a", "+b", "*** Frobnicate File: x"], "parse"),
        ("a\n", [], "parse"),
    ],
)
async def test_refusals_change_nothing(bench, before: str, lines: list[str], kind: str) -> None:
    result = await applied(bench, update(*lines), f=before)
    assert (result.outcome, result.error_kind) == (Outcome.ERROR, kind), result.content
    assert (bench.root / "f").read_text() == before and bench.asked == []


@pytest.mark.parametrize(
    "wrapped",
    [
        "<<'EOF'\n{}\nEOF\n",
        "apply_patch <<EOF\n{}\nEOF",
        "```diff\n{}\n```",
        "\n\n  {}  \n\n",
        "{}\r\n",
    ],
)
async def test_wrappers_are_taken_off(bench, wrapped: str) -> None:
    result = await applied(bench, wrapped.format(update("@@", "-a", "+A")), f="a\n")
    assert result.outcome is Outcome.OK, result.content
    assert (bench.root / "f").read_text() == "A\n"


@pytest.mark.parametrize("text", ["", "just text\n", "*** Begin Patch\n*** End Patch", "*** Begin Patch\nbad",
                                  "Here it is:\n" + update("@@", "-a", "+b"), update("@@", "-a", "+b") + "\nmore",
                                  "<<\"EOF'\n" + update("@@", "-a", "+b") + "\nEOF", "@@ -1 +1 @@\n-a\n+b\n",
                                  envelope("*** Add File: x", "no sign"),
                                  envelope("*** Update File: ", "@@", "+a")])  # fmt: skip
async def test_what_is_no_patch(bench, text: str) -> None:
    result = await applied(bench, text, f="a\n")
    assert (result.error_kind, (bench.root / "f").read_text()) == ("parse", "a\n")


async def test_the_end_marker_may_be_missing(bench) -> None:
    result = await applied(bench, update("@@", "-a", "+A").removesuffix("\n*** End Patch"), f="a\n")
    assert result.outcome is Outcome.OK


async def test_several_files_with_one_question_and_one_event_each(bench) -> None:
    patch = envelope(
        "*** Add File: new/deep.txt", "+one", "", "+three", "*** Delete File: gone", "*** Update File: old",
        "*** Move to: moved/here", "@@", "-x", "+y", "*** Update File: f", "@@", "-a", "+A", "*** Update File: f", "@@",
        "-A", "+B")  # fmt: skip
    bench.file("old", "x\n").chmod(0o755)
    result = await applied(bench, patch, gone="bye\n", f="a\n", old="x\n")
    assert result.outcome is Outcome.OK, result.content
    assert result.summary == "5 files, +6 −4" or result.summary.startswith("5 files"), result.summary
    kept = {str(p.relative_to(bench.root)): p.read_text() for p in bench.root.rglob("*") if p.is_file()}
    assert kept == {"new/deep.txt": "one\n\nthree\n", "moved/here": "y\n", "f": "B\n"}
    assert (bench.root / "moved/here").stat().st_mode & 0o777 == 0o755
    [question] = bench.asked
    assert "+++ /dev/null" in question.preview and "--- a/f\n+++ b/f\n" in question.preview
    changes = {change.path: (change.created, change.deleted) for change in bench.changes()}
    assert changes == {"new/deep.txt": (True, False), "gone": (False, True), "old": (False, True),
                       "moved/here": (True, False), "f": (False, False)}  # fmt: skip


async def test_all_or_nothing(bench) -> None:
    patch = envelope("*** Add File: sub/new", "+x", "*** Update File: f", "@@", "-a", "+A", "*** Update File: none",
                     "@@", "-a", "+b")  # fmt: skip
    result = await applied(bench, patch, f="a\n")
    assert result.error_kind == "file_missing" and "none" in result.content
    assert [p.name for p in bench.root.iterdir()] == ["f"] and (bench.root / "f").read_text() == "a\n"


async def test_files_must_be_known_before_they_are_changed_replaced_or_deleted(bench) -> None:
    bench.file("f", "a\nb\n")
    first = await bench.run("apply_patch", patch=update("@@", "-b", "+B"))
    assert first.error_kind == "not_read" and "2\tb" in first.content
    assert (await bench.run("apply_patch", patch=update("@@", "-b", "+B"))).outcome is Outcome.OK
    bench.file("g", "secret of g\n")
    for patch, kind in (
        (envelope("*** Delete File: g"), "not_read"),
        (envelope("*** Add File: g", "+x"), "exists"),
        (envelope("*** Update File: f", "*** Move to: g", "@@", "-a", "+A"), "exists"),
    ):
        result = await bench.run("apply_patch", patch=patch)
        assert result.error_kind == kind, result.content
    assert (bench.root / "g").read_text() == "secret of g\n" and (bench.root / "f").read_text() == "a\nB\n"
    await bench.run("read", path="g")
    assert (await bench.run("apply_patch", patch=envelope("*** Add File: g", "+x"))).outcome is Outcome.OK
    (bench.root / "g").write_text("other\n")
    stale = await bench.run("apply_patch", patch=envelope("*** Delete File: g"))
    assert stale.error_kind == "stale" and "+other" in stale.content


async def test_outside_only_with_a_rule(make_bench, tmp_path) -> None:
    target = tmp_path / "outer.txt"
    patch = envelope(f"*** Add File: {target}", "+x")
    bench = make_bench()
    result = await bench.run("apply_patch", patch=patch)
    assert result.error_kind == "outside" and not target.exists() and bench.asked == []
    allowed = make_bench(f"apply_patch:{target}")
    assert (await allowed.run("apply_patch", patch=patch)).outcome is Outcome.OK and target.read_text() == "x\n"


async def test_links_keep_and_are_not_deleted(bench) -> None:
    bench.file("real", "a\n")
    (bench.root / "link").symlink_to("real")
    await bench.run("read", path="link")
    assert (await bench.run("apply_patch", patch=update("@@", "-a", "+A", path="link"))).outcome is Outcome.OK
    assert (bench.root / "link").is_symlink() and (bench.root / "real").read_text() == "A\n"
    refused = await bench.run("apply_patch", patch=envelope("*** Delete File: link"))
    assert refused.error_kind == "refused" and (bench.root / "real").exists()


async def test_tolerance_is_told_and_logged(bench) -> None:
    result = await applied(bench, update("@@", "-a", "+b"), f="    a\n")
    assert "although indentation differs" in result.content and result.summary == "+1 −1, indentation differs"
    assert (bench.root / "f").read_text() == "    b\n"


async def test_denied(bench) -> None:
    bench.answer = Decision.DENY
    result = await applied(bench, update("@@", "-a", "+b"), f="a\n")
    assert result.outcome is Outcome.DENIED and (bench.root / "f").read_text() == "a\n"


async def test_other_names_of_the_argument(bench) -> None:
    bench.file("f", "a\n")
    await bench.run("read", path="f")
    assert (await bench.run("apply_patch", input=update("@@", "-a", "+b"))).outcome is Outcome.OK


GIT = "diff --git a/{0} b/{1}\n"


@pytest.mark.parametrize(
    ("files", "patch", "after"),
    [
        ({"f": "a\nb\nc\n"}, "--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n", {"f": "a\nB\nc\n"}),
        ({"f": "a\nb\nc\n"}, "--- f\n+++ f\n@@ -40,7 +41,9 @@\n a\n-b\n+B\n c\n", {"f": "a\nB\nc\n"}),
        ({"f": "a\nb\n"}, "--- a/f\t2024-01-01\n+++ b/f\t2024-01-02\n@@ ... @@\n-b\n+B\n", {"f": "a\nB\n"}),
        ({"f": "a\nb"}, "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+B\n"
         "\\ No newline at end of file\n", {"f": "a\nB"}),
        ({"f": "a\nb"}, "--- a/f\n+++ b/f\n@@ -2 +2 @@\n-b\n\\ No newline at end of file\n+b\n", {"f": "a\nb\n"}),
        ({"f": "a\nb\n"}, "--- a/f\n+++ b/f\n@@ -2 +2 @@\n-b\n+b\n\\ No newline at end of file\n", {"f": "a\nb"}),
        ({}, GIT.format("n", "n") + "new file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/n\n"
         "@@ -0,0 +1,2 @@\n+x\n+y\n",
         {"n": "x\ny\n"}),
        ({}, "--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n\\ No newline at end of file\n", {"n": "x"}),
        ({}, GIT.format("n", "n") + "new file mode 100644\nindex 0..0\n", {"n": ""}),
        ({"f": "a\n"}, GIT.format("f", "f") + "deleted file mode 100644\n--- a/f\n+++ /dev/null\n"
         "@@ -1 +0,0 @@\n-a\n", {}),
        ({"f": "a\n"}, GIT.format("f", "g") + "similarity index 100%\nrename from f\nrename to g\n", {"g": "a\n"}),
        ({"f": "a\nb\n"}, GIT.format("f", "g") + "similarity index 50%\nrename from f\nrename to g\n--- a/f\n+++ b/g\n"
         "@@ -1,2 +1,2 @@\n a\n-b\n+B\n", {"g": "a\nB\n"}),
        ({"f": "a\n"}, GIT.format("f", "g") + "copy from f\ncopy to g\n", {"f": "a\n", "g": "a\n"}),
        ({"f": "-- x\nb\n"}, "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n--- x\n+++ y\n b\n", {"f": "++ y\nb\n"}),
        ({"f": "a\n", "g": "b\n"}, "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+A\n--- a/g\n+++ b/g\n@@ -1 +1 @@\n-b\n+B\n",
         {"f": "A\n", "g": "B\n"}),
        ({"a/f": "x\n"}, "--- a/f\n+++ a/f\n@@ -1 +1 @@\n-x\n+y\n", {"a/f": "y\n"}),
        ({"two words": "x\n"}, "--- two words\n+++ two words\n@@ ... @@\n-x\n+y\n", {"two words": "y\n"}),
        ({"ü": "x\n"}, '--- "a/\\303\\274"\n+++ "b/\\303\\274"\n@@ -1 +1 @@\n-x\n+y\n', {"ü": "y\n"}),
        ({"f": "a\r\nb\r\n"}, "--- a/f\r\n+++ b/f\r\n@@ -1,2 +1,2 @@\r\n a\r\n-b\r\n+B\r\n", {"f": "a\r\nB\r\n"}),
        ({"f": "x\nq\nx\nq\n"}, "--- a/f\n+++ b/f\n@@ -4 +4 @@\n-q\n+Q\n", {"f": "x\nq\nx\nQ\n"}),
        ({"f": "a\nb\n"}, "--- a/f\n+++ b/f\n@@ -1,0 +2 @@\n+new\n", {"f": "a\nnew\nb\n"}),
        ({"f": "a\n\nb\n"}, "--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n\n-b\n+B\n\n", {"f": "a\n\nB\n"}),
        ({"f": "a\n"}, "From 1 Mon\nSubject: x\n---\n f | 2 +-\n\n" + GIT.format("f", "f")
         + "index 1..2 100644\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n-- \n2.39.0\n\n", {"f": "b\n"}),
        ({"f": "a\n"}, "```diff\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n```\n", {"f": "b\n"}),
    ],
)  # fmt: skip
async def test_diffs(bench, files: dict[str, str], patch: str, after: dict[str, str]) -> None:
    result = await applied(bench, patch, **files)
    assert result.outcome is Outcome.OK, result.content
    kept = {str(p.relative_to(bench.root)): p.read_bytes().decode() for p in bench.root.rglob("*") if p.is_file()}
    assert kept == after


@pytest.mark.parametrize(
    ("patch", "kind"),
    [
        ("--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+x\n", "exists"),
        ("--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n", "not_found"),
        (GIT.format("f", "f") + "old mode 100644\nnew mode 100755\n", "parse"),
        (GIT.format("f", "f") + "index 1..2\nBinary files a/f and b/f differ\n", "parse"),
        ("--- a/f\n+++ b/f\n", "parse"),
        ("--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n b\n", "parse"),
        ("--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n-b\nlost sign\n+B\n", "parse"),
        ("--- a/f\n+++ b/f\n@@ -9,2 +9,3 @@\n+new\n+new\n", "not_found"),
        ("--- a/g\n+++ b/g\n@@ -1 +1 @@\n-a\n+b\n", "file_missing"),
        ("--- a/f\n+++ b/f\n@@ -1 +1 @@\n-x\n+b\n", "ambiguous"),
    ],
)
async def test_diffs_refused(bench, patch: str, kind: str) -> None:
    before = "a\nb\nx\nx\n" + "end\n" * 20
    result = await applied(bench, patch, f=before)
    assert (result.error_kind, (bench.root / "f").read_text()) == (kind, before), result.content
