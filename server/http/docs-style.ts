/** The stylesheet of the documentation page: system fonts, one column, light and dark by the reader's own setting. */
export const docsStyle = `
:root {
  color-scheme: light dark;
  --ink: light-dark(#1c1e21, #e4e4e1);
  --quiet: light-dark(#5a5f66, #a3a7ad);
  --paper: light-dark(#fdfdfb, #17181a);
  --line: light-dark(#dcdcd6, #34363a);
  --shade: light-dark(#f3f3ee, #202225);
  --link: light-dark(#0b5394, #8ab8ea);
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 6rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; margin: 3rem 0 .25rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .4rem; }
h4 { font-size: .9rem; margin: 1rem 0 .3rem; color: var(--quiet); }
p { margin: .4rem 0; max-width: 44rem; }
a { color: var(--link); }
a:focus-visible, [tabindex]:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
main:focus { outline: none; }
code, pre, .method { font: .875em/1.5 ui-monospace, monospace; overflow-wrap: break-word; }
pre { background: var(--shade); border: 1px solid var(--line); border-radius: 6px; padding: .8rem 1rem; overflow-x: auto; }
.quiet { color: var(--quiet); font-weight: normal; font-size: .9em; }
.method { display: inline-block; min-width: 4.2em; font-weight: 700; }
.route { font-size: 1.05rem; }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: .5rem; background: var(--paper); padding: .3rem .6rem; }
nav ul { list-style: none; padding: 0; margin: 1.5rem 0; columns: 22rem; }
nav li { padding: .15rem 0; break-inside: avoid; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
.operation { border-top: 1px solid var(--line); margin-top: 2.5rem; }
.operation h2 { margin-top: 1.5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .9rem .4rem 0; border-bottom: 1px solid var(--line); }
thead th { color: var(--quiet); font-weight: 600; font-size: .85rem; }
tbody th { font-weight: 600; white-space: nowrap; }
:target { background: light-dark(#fff3c4, #4a3f10); }
@media print { nav, .skip { display: none; } .operation { break-inside: avoid; } }
`.trimStart()
