import base64
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from patchbay.app.cli.attaching import MOST_BYTES, PersonAttaching, most_bytes
from patchbay.app.engine.events import AttachmentKind
from patchbay.tools.confinement import Confinement, Trust
from patchbay.tools.policy import Policy
from patchbay.tools.toolbox import LocalToolbox
from support.sessions import model

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
BLIND, SEEING, UNKNOWN = (replace(model(window=None), vision=vision) for vision in (False, True, None))


class Desk:
    """A workspace, and what a person types in it."""

    def __init__(self, root: Path, state: Path, trust: Trust = Trust.FULL) -> None:
        self.root = root
        environment = {"PATH": os.environ["PATH"], "HOME": str(state)}
        self.toolbox = LocalToolbox(
            root,
            Policy([], remember=lambda _: None),
            state_folder=state,
            environment=environment,
            confinement=Confinement(trust),
        )
        self.attaching = PersonAttaching(self.toolbox.for_person)

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    async def never(self, question):
        raise AssertionError(question)

    async def gather(self, text: str, of=UNKNOWN):
        return await self.attaching.gather(text, of)

    async def one(self, text: str, of=UNKNOWN):
        gathered = await self.gather(text, of)
        assert len(gathered.attachments) == 1, gathered
        return gathered.attachments[0]


@pytest.fixture
def desk(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    return Desk(root, tmp_path / "state")


async def test_a_file_goes_along_with_its_lines_numbered(desk):
    data = b"one\ntwo\nthree\n"
    desk.file("src/app.py", data)
    attachment = await desk.one("what does @src/app.py do?")
    assert attachment.kind is AttachmentKind.FILE
    assert attachment.source == "src/app.py"
    assert attachment.text == "1\tone\n2\ttwo\n3\tthree"
    assert (attachment.first_line, attachment.last_line) == (None, None)
    assert attachment.digest == hashlib.sha256(data).hexdigest()


async def test_a_range_of_lines_and_one_that_is_beyond_the_end(desk):
    desk.file("a.txt", "".join(f"line {number}\n" for number in range(1, 21)))
    attachment = await desk.one("@a.txt:3-5")
    assert attachment.text == "3\tline 3\n4\tline 4\n5\tline 5"
    assert (attachment.first_line, attachment.last_line) == (3, 5)
    assert (await desk.one("@a.txt:19-")).text == "19\tline 19\n20\tline 20"
    assert (await desk.one("@a.txt:18-99")).last_line == 20
    gathered = await desk.gather("@a.txt:30-40")
    assert gathered.attachments == ()
    assert gathered.remarks == ("a.txt has 20 lines: there is no line 30.",)


async def test_what_the_model_was_shown_it_may_edit(desk):
    desk.file("a.txt", "one\n")
    await desk.gather("@a.txt")

    async def yes(_question):
        raise AssertionError

    desk.toolbox.select_mode("accept-edits")
    done = await desk.toolbox.run(
        run_id="r",
        name="edit",
        arguments={"path": "a.txt", "edits": [{"old_text": "one", "new_text": "two"}]},
        emit=lambda _: None,
        approve=yes,
    )
    assert done.outcome == "ok"
    assert (desk.root / "a.txt").read_text() == "two\n"


@pytest.mark.parametrize(
    "text", ["@property", "@app.route('/')", "me@example.com", "@dataclass(frozen=True)", "@types/node", "@"]
)
async def test_what_is_no_file_is_left_alone_without_a_word(desk, text):
    gathered = await desk.gather(text)
    assert (gathered.attachments, gathered.remarks) == ((), ())


async def test_what_is_there_and_cannot_be_read_is_said_with_its_reason(desk):
    os.mkfifo(desk.root / "pipe")
    (desk.root / "loop").symlink_to("loop")
    (desk.root / "dangling").symlink_to("gone")
    (desk.root / "old-folder").symlink_to("../gone")
    gathered = await desk.gather("@pipe @loop @dangling @old-folder/")
    assert gathered.attachments == ()
    assert gathered.remarks == (
        "pipe is a pipe, socket or device, which tools do not open.",
        "loop is a loop of symbolic links, which tools do not open.",
        "dangling was not added: it is a link that leads nowhere.",
        "old-folder/ was not added: it is a link that leads nowhere.",
    )


async def test_a_line_that_does_not_go_along_whole_is_said(desk):
    desk.file("min.js", "x" * 25_000 + "\nshort\n")
    gathered = await desk.gather("@min.js")
    assert gathered.remarks == ("min.js: 1 line is not whole: the model is told how much of it is missing.",)
    assert "15,000 characters of this line left out" in gathered.attachments[0].text
    gathered = await desk.gather("@min.js", replace(UNKNOWN, context_window=4096))
    assert "bytes left out" in gathered.attachments[0].text
    assert "1 line is not whole" in gathered.remarks[0] and "cut after line 1 of 2" in gathered.remarks[0]
    assert (await desk.gather("@min.js:2")).remarks == ()


async def test_such_a_name_is_a_mention_once_the_file_exists(desk):
    desk.file("property", "x")
    assert (await desk.one("@property")).source == "property"


@pytest.mark.parametrize("text", ["@src/gone.py", "@gone.py", '@"not here"', "@gone:3-4", "@./gone", "@gone/"])
async def test_a_path_that_leads_nowhere_is_said(desk, text):
    desk.file("src/app.py", "x")
    gathered = await desk.gather(text)
    assert gathered.attachments == ()
    assert len(gathered.remarks) == 1
    assert "no file with it" in gathered.remarks[0]


async def test_a_file_with_a_colon_in_its_name_wins_over_a_range(desk):
    desk.file("a:3", "odd")
    desk.file("a", "1\n2\n3\n")
    assert (await desk.one("@a:3")).source == "a:3"


async def test_the_same_file_goes_along_once(desk):
    desk.file("a.txt", "x")
    gathered = await desk.gather("@a.txt @a.txt, @./a.txt and @a.txt:1")
    assert [each.first_line for each in gathered.attachments] == [None, 1]


@pytest.mark.parametrize("name", [".env", ".env.local", "id_rsa", "certs/server.key", ".aws/credentials"])
async def test_secrets_do_not_go_along(desk, name):
    desk.file(name, "KEY=abc")
    gathered = await desk.gather(f"look at @{name}")
    assert gathered.attachments == ()
    assert "was not added" in gathered.remarks[0]
    assert "secret" in gathered.remarks[0] or "keys" in gathered.remarks[0]


async def test_a_link_to_a_secret_is_one(desk):
    desk.file(".env", "KEY=abc")
    (desk.root / "notes.txt").symlink_to(".env")
    assert (await desk.gather("@notes.txt")).attachments == ()


async def test_nothing_outside_goes_along(desk, tmp_path):
    (tmp_path / "out.txt").write_text("private")
    (desk.root / "link.txt").symlink_to(tmp_path / "out.txt")
    (desk.root / "up").symlink_to(tmp_path)
    for text in ("@../out.txt", f"@{tmp_path}/out.txt", "@link.txt", "@up/out.txt", "@..", "@up/"):
        gathered = await desk.gather(text)
        assert gathered.attachments == (), text
        assert "outside the project folder" in gathered.remarks[0]
    assert (await desk.gather("@/proc/self/environ")).attachments == ()


async def test_a_binary_file_and_an_empty_one_say_so(desk):
    desk.file("a.bin", b"\0\1\2" * 50)
    desk.file("empty.py", "")
    gathered = await desk.gather("@a.bin @empty.py")
    assert [each.text for each in gathered.attachments] == [
        "[a binary file of 150 bytes; its content is not shown]",
        "(the file is empty)",
    ]
    assert gathered.remarks == ("a.bin: binary, 150 bytes: the model is told so and does not see it.",)


async def test_marks_and_long_lines_are_explained_as_by_read(desk):
    desk.file("a.txt", "one\x1b[2Jtwo\n" + "x" * 10_005 + "\n")
    attached = (await desk.one("@a.txt")).text
    shown = await desk.toolbox.run(
        run_id="1", name="read", arguments={"path": "a.txt"}, emit=lambda _: None, approve=desk.never
    )
    assert attached == shown.content
    assert "1\tone⟨U+001B⟩[2Jtwo" in attached and attached.endswith("edit takes it so]")
    assert "[… 5 characters of this line left out …]" in attached


async def test_a_large_file_is_cut_to_the_window_and_says_how_to_read_on(desk):
    desk.file("big.txt", "".join(f"{number} {'x' * 90}\n" for number in range(1, 2001)))
    small = replace(UNKNOWN, context_window=8192)
    gathered = await desk.gather("@big.txt", small)
    (attachment,) = gathered.attachments
    assert len(attachment.text) <= most_bytes(small) == 8192
    assert attachment.first_line == 1
    assert f"offset={attachment.last_line + 1}" in attachment.text.splitlines()[-1]
    assert "cut after line" in gathered.remarks[0]
    assert len((await desk.one("@big.txt")).text) > 100_000


async def test_all_files_together_have_a_bound_and_what_is_left_out_is_said(desk):
    for number in range(5):
        desk.file(f"f{number}.txt", f"{'y' * 99}\n" * 1000)
    gathered = await desk.gather(" ".join(f"@f{number}.txt" for number in range(5)))
    assert sum(len(each.text) for each in gathered.attachments) <= MOST_BYTES
    assert any("f4.txt was not added" in remark or "f3.txt: cut" in remark for remark in gathered.remarks)


async def test_hidden_characters_are_shown_to_the_model(desk):
    desk.file("a.txt", "a\u202eb\x1b[31m\n")
    assert (await desk.one("@a.txt")).text.startswith("1\ta⟨U+202E⟩b⟨U+001B⟩[31m\n[⟨U+…⟩ stands for")


@pytest.mark.parametrize("trust", [Trust.FULL, Trust.NONE])
async def test_a_folder_goes_along_as_the_list_of_its_files(tmp_path, trust):
    root = tmp_path / "project"
    root.mkdir()
    desk = Desk(root, tmp_path / "state", trust)
    for name in ("src/a.py", "src/deep/b.py", "src/build/out.o", "src/.gitignore", "other.py"):
        desk.file(name, "build/\n" if name.endswith("ignore") else "x")
    attachment = await desk.one("@src/")
    assert attachment.kind is AttachmentKind.FOLDER
    assert attachment.source == "src/"
    assert attachment.text.splitlines() == [".gitignore", "a.py", "deep/b.py"]
    assert (await desk.one("@src")).text == attachment.text


async def test_a_folder_of_many_files_is_counted(desk):
    for number in range(450):
        desk.file(f"d/{'a' if number % 3 else 'b'}/{number}.txt", "")
    text = (await desk.one("@d")).text
    assert "a/  (300 files)" in text
    assert "b/  (150 files)" in text


async def test_an_image_goes_along_as_such_whatever_its_name(desk):
    desk.file("shot.png", PNG)
    desk.file("named.txt", PNG)
    desk.file("false.png", b"GIF89x not an image \0\0")
    attachment = await desk.one("@shot.png", SEEING)
    assert attachment.kind is AttachmentKind.IMAGE
    assert attachment.media_type == "image/png"
    assert base64.b64decode(attachment.data_base64) == PNG
    assert (await desk.one("@named.txt", SEEING)).kind is AttachmentKind.IMAGE
    assert (await desk.one("@false.png", SEEING)).kind is AttachmentKind.FILE


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
    ],
)
async def test_the_kinds_of_image(desk, head, media_type):
    desk.file("x", head + b"\0" * 20)
    assert (await desk.one("@x", SEEING)).media_type == media_type


async def test_an_image_that_is_too_large_is_not_sent(desk):
    desk.file("huge.png", PNG + b"\0" * 5_000_001)
    gathered = await desk.gather("@huge.png", SEEING)
    assert gathered.attachments == ()
    assert "5.0 MB" in gathered.remarks[0]


async def test_a_model_that_does_not_see_is_said_before_and_nothing_is_lost(desk):
    desk.file("shot.png", PNG)
    blind, unknown, seeing = [await desk.gather("@shot.png", of) for of in (BLIND, UNKNOWN, SEEING)]
    assert [len(each.attachments) for each in (blind, unknown, seeing)] == [1, 1, 1]
    assert "does not see images" in blind.remarks[0]
    assert "Nobody knows" in unknown.remarks[0]
    assert seeing.remarks == ()


async def test_an_image_from_elsewhere_goes_along_by_its_absolute_path_alone(desk, tmp_path):
    shot = tmp_path / "My shot.png"
    shot.write_bytes(PNG)
    assert (await desk.one(f'@"{shot}"', SEEING)).source == str(shot)
    (desk.root / "inside.png").symlink_to(shot)
    assert (await desk.gather("@inside.png", SEEING)).attachments == ()
    shot.write_bytes(b"a key\n")
    gathered = await desk.gather(f'@"{shot}"', SEEING)
    assert gathered.attachments == ()
    assert "no PNG" in gathered.remarks[0]


async def test_the_names_that_can_be_mentioned_leave_out_what_is_ignored(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    desk = Desk(root, tmp_path / "state", Trust.NONE)
    for name in ("a.py", "dist/b.js", "node_modules/c.js", "keep/dist/d.js", ".gitignore"):
        desk.file(name, "dist/\n!keep/dist/\n" if name == ".gitignore" else "x")
    (root / "link").symlink_to("a.py")
    assert await desk.attaching.files() == [".gitignore", "a.py", "keep/dist/d.js"]


async def test_no_program_starts_in_an_untrusted_folder(tmp_path, monkeypatch):
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    (root / "a.py").write_text("x")

    async def never(*_arguments, **_options):
        raise AssertionError("a program was started")

    monkeypatch.setattr("patchbay.tools.walk.run_process", never)
    desk = Desk(root, tmp_path / "state", Trust.NONE)
    assert await desk.attaching.files() == ["a.py"]
    assert (await desk.one("@.")).text == "a.py"


@pytest.mark.parametrize("lines", ["99999999999999999999", "1" * 5000 + "-2"])
async def test_lines_that_no_file_has_are_said_and_in_few_words(desk, lines):
    desk.file("lines.txt", "one\n")
    gathered = await desk.gather(f"@lines.txt:{lines}")
    assert gathered.attachments == () and len(gathered.remarks) == 1
    assert gathered.remarks[0].startswith("There is no lines.txt:") and len(gathered.remarks[0]) < 300
