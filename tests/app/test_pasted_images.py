import os
import stat

import pytest

from patchbay.app.engine.mentions import PASTED_NAME, find_mentions
from patchbay.app.pasted_images import FRESH_S, PastedImages
from patchbay.tools.attaching import MAX_IMAGE_BYTES
from support.clipboards import JPEG, PNG


@pytest.fixture
def images(tmp_path):
    return PastedImages(tmp_path / "state" / "images")


def age(images, name, seconds):
    file = images.folder / name
    at = file.stat().st_mtime - seconds
    os.utime(file, (at, at))


def test_an_image_is_kept_under_the_name_of_its_content_for_the_person_alone(images):
    one, again, other = images.keep(PNG), images.keep(PNG), images.keep(JPEG)
    assert one == again
    assert PASTED_NAME.fullmatch(one.name)
    assert other.name.endswith(".jpg")
    assert images.find(one.name) == one
    assert images.names() == sorted([one.name, other.name])
    assert sorted(os.listdir(images.folder)) == images.names()  # nothing half-written is left
    assert stat.S_IMODE((images.folder / one.name).stat().st_mode) == 0o600
    assert stat.S_IMODE(images.folder.stat().st_mode) == 0o700


def test_its_name_is_one_whole_mention(images):
    name = images.keep(PNG).name
    for text in (f"@{name}", f"see @{name}, please", f"(@{name})", f"@{name}."):
        (mention,) = find_mentions(text)
        assert name in [reading.path for reading in mention.readings]


@pytest.mark.parametrize(
    "name", ["../patchbay.db", "pasted-000000000000.png", "pasted-0.png", "", "pasted-" + "g" * 12]
)
def test_no_other_name_leads_to_a_file(images, name):
    images.keep(PNG)
    (images.folder.parent / "patchbay.db").write_bytes(PNG)
    assert images.find(name) is None


def test_a_file_that_is_not_what_its_name_says_is_none(images):
    name = images.keep(PNG).name
    (images.folder / name).write_bytes(JPEG)
    assert images.find(name) is None
    assert images.keep(PNG).name == name  # written anew
    assert images.find(name) is not None
    (images.folder / name).unlink()
    (images.folder / name).symlink_to("/etc/hostname")
    assert images.find(name) is None


def test_what_is_no_image_or_too_large_is_refused(images):
    for data in (b"text", PNG + b"\0" * MAX_IMAGE_BYTES):
        with pytest.raises(ValueError, match="no image"):
            images.keep(data)
    assert images.names() == []


def test_a_folder_that_cannot_be_made_is_an_error_of_the_disk(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        PastedImages(tmp_path / "file" / "images").keep(PNG)


def test_what_nothing_names_goes_a_day_later_and_what_went_with_a_session_at_once(images):
    named, fresh, old, gone = (images.keep(PNG + bytes([number])).name for number in range(4))
    now = (images.folder / fresh).stat().st_mtime + 1
    age(images, named, FRESH_S + 10)
    age(images, old, FRESH_S + 10)
    images.tidy(lambda names: {named} & set(names), at=now, gone=[gone, "pasted-000000000000.png", "../x"])
    assert images.names() == sorted([named, fresh])
    images.keep(PNG + bytes([0]))
    images.tidy(lambda names: set(), at=now)
    assert images.names() == sorted([named, fresh])  # pasted again: it is fresh
