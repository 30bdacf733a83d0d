"""The style sheet of an exported page: part of the page, so that nothing is loaded."""

PAGE_STYLE = """\
:root {
  color-scheme: light dark;
  --back: #fbfbfa; --front: #23262b; --muted: #676d76; --line: #dcdee2; --soft: #f1f2f4;
  --person: #1f5fa8; --speaker: #7d5ba6; --ok: #2b7a3f; --bad: #b3261e; --warn: #8a5a00;
  --added: #1d6b34; --added-back: #e2f4e6; --removed: #a3271f; --removed-back: #fbe6e4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #16181c; --front: #d8dbe0; --muted: #959ca7; --line: #30343b; --soft: #1f2227;
    --person: #7db2f0; --speaker: #bea0e0; --ok: #7fc98b; --bad: #f08a80; --warn: #e0b060;
    --added: #8fd79c; --added-back: #17301d; --removed: #f2a099; --removed-back: #3a1d1b;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 56rem; padding: 2.5rem 1.25rem 4rem;
  background: var(--back); color: var(--front); font: 16px/1.6 system-ui, -apple-system, "Segoe UI", sans-serif;
}
header { border-bottom: 1px solid var(--line); margin-bottom: 2rem; padding-bottom: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0 0 .35rem; overflow-wrap: anywhere; }
.facts, .meta, footer { color: var(--muted); font-size: .85rem; }
.facts, .meta { margin: 0 0 .35rem; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
section { border-left: 3px solid var(--line); margin: 1.4rem 0; padding: .1rem 0 .1rem 1.6rem; }
section.prompt { border-color: var(--person); margin-top: 2.4rem; }
section.answer { border-color: var(--speaker); }
.words { white-space: pre-wrap; overflow-wrap: anywhere; }
section.prompt .words { font-weight: 600; }
section.prompt img { display: block; max-width: min(100%, 40rem); max-height: 30rem; margin-top: .6rem; }
section.answer > p, section.answer > ul, section.answer > ol { margin: .6rem 0; }
section.answer h1, section.answer h2, section.answer h3 { font-size: 1.1rem; margin: 1.2rem 0 .4rem; }
a { color: var(--person); overflow-wrap: anywhere; }
code, pre { font-family: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, monospace; font-size: .84rem; }
p > code, li > code, td > code { background: var(--soft); border-radius: 4px; padding: .1rem .3rem; }
pre {
  background: var(--soft); border-radius: 6px; line-height: 1.45; margin: .5rem 0; max-height: 40rem;
  overflow: auto; padding: .75rem .9rem;
}
blockquote { border-left: 3px solid var(--line); color: var(--muted); margin: .6rem 0; padding-left: .9rem; }
table { border-collapse: collapse; display: block; margin: .8rem 0; overflow-x: auto; }
td, th { border-bottom: 1px solid var(--line); padding: .3rem .8rem .3rem 0; text-align: left; }
hr { border: 0; border-top: 1px solid var(--line); }
details, p.run { margin: .3rem 0; }
summary { cursor: pointer; list-style-position: outside; overflow-wrap: anywhere; }
summary:hover { background: var(--soft); }
.run b { font-weight: 600; } .run i, .diff-head i { color: var(--muted); font-style: normal; font-size: .85rem; }
.run time { color: var(--muted); float: right; font-size: .8rem; font-variant-numeric: tabular-nums; }
.sign { color: var(--bad); } .sign.ok { color: var(--ok); } .sign.denied, .sign.cancelled { color: var(--warn); }
.thought { color: var(--muted); } .thought .words { border-left: 1px solid var(--line); padding-left: .9rem; }
.diff { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; }
.diff summary { padding: .3rem .9rem; } .diff pre { border-radius: 0 0 6px 6px; margin: 0; padding: .5rem 0; }
.diff pre { white-space: pre; }
.diff pre span { display: block; min-width: 100%; padding: 0 .9rem; width: max-content; }
.added { color: var(--added); } .removed { color: var(--removed); } .at { color: var(--muted); }
pre .added { background: var(--added-back); } pre .removed { background: var(--removed-back); }
.notice { color: var(--muted); font-size: .88rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.notice.warning { color: var(--warn); } .notice.error { color: var(--bad); }
footer { border-top: 1px solid var(--line); margin-top: 3rem; padding-top: .8rem; }
@media print { pre { max-height: none; white-space: pre-wrap; } body { max-width: none; } }
"""
