"""Markdown for tests: one text with every construct, and hypothesis strategies for more."""

from hypothesis import strategies as st

EVERYTHING = """# Title of the **thing**

Some *prose* with `code`, a [link](https://example.com/x_y) and https://bare.example/path. It goes on for a while,
so that it wraps, with 漢字の文章はここで折り返す and emoji 👍 and ~~gone~~ words.
Second line here.

Setext
------
1. First
   - nested `one`
   - nested two that is long enough to wrap around at sixty columns for sure, yes
     more lazy text

     para in nested
   ```python
   def f(x):
       \"\"\"doc
       string\"\"\"
       return x + 1  # comment
   ```
2. Second
1. Third
- [ ] todo
- [x] done
  > quote in list
  > more
-
- after empty

> quote **bold
> over lines**
lazy continuation
>
> - q item
>   > deeper

Para before table
| a | b **x** | number |
|---|:-:|--:|
| 1 | two pipes \\| esc | 3.14 |
| long cell content that must be wrapped because it is long | x | 10 |

***

    indented code
    more

~~~
tilde fence
```
not closed ``` here
~~~

<div>html</div>

* loose

* items

Text ends with **unclosed
"""

_LINES = """\
word
two words
a **bold** and `code`
# Heading
- item
  - nested
1. one
2. two
   continued
> quote
> - listed
```
```py
~~~
   ```
def f(x):
    indented


---
***
===
* star
[a](https://example.com)
1986. year
- [x] done
`unclosed
**open
漢字 wide
👩\u200d💻 joined
\ttab
    - deep
| a | b |
|---|--:|
| 1 | 2 |"""
LINES = st.sampled_from(_LINES.split("\n"))
"""Lines that begin, continue and break every kind of block."""

DOCUMENTS = st.lists(LINES, max_size=14).map("\n".join)


def pieces(text: str, cuts: list[int]) -> list[str]:
    """``text`` cut at these places (taken modulo its length)."""
    places = sorted({cut % (len(text) + 1) for cut in cuts})
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]
