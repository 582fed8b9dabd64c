// SPDX-License-Identifier: GPL-3.0-or-later
// The style sheet of an HTML report. Colours of the series are told apart by colour-blind people
// (Okabe and Ito's), and each has its own dash too. Internal to html_report().
#pragma once

namespace lockstep {

inline constexpr const char* html_style = R"css(
:root { color-scheme: light dark; --page: #ffffff; --card: #f6f7f9; --text: #1b1f24; --quiet: #59636e;
  --rule: #d4d9df; --drift: #0072b2; --local: #c74300; --floor: #00795a; --bad: #b3261e; --good: #1a7037;
  --s0: #fdf0e6; --s1: #fbdcc4; --s2: #f8c39b; --s3: #f2a56d; --s4: #e88546; --s5: #d66527; --s6: #b94a13;
  --s7: #93360a; --s8: #661f02; --nan: #5b2a86; }
@media (prefers-color-scheme: dark) { :root { --page: #16191d; --card: #1f242a; --text: #e8ebee;
  --quiet: #a3adb8; --rule: #3a424b; --drift: #56b4e9; --local: #f0953f; --floor: #35c79b; --bad: #ff8f85;
  --good: #6fd08c; --s0: #2a211b; --s1: #42291a; --s2: #5f3519; --s3: #804518; --s4: #a35719; --s5: #c56d1f;
  --s6: #e38a35; --s7: #f5b06a; --s8: #ffe0bd; --nan: #c9a0f2; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 68rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p { margin: .4rem 0; } .quiet { color: var(--quiet); }
.sentence { font-size: 1.15rem; padding: .8rem 1rem; border-left: .3rem solid var(--good); background: var(--card); }
.sentence.diverged { border-color: var(--bad); }
.verdict { font-weight: 700; color: var(--good); } .verdict.diverged, .bad { color: var(--bad); font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: .8rem 0; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { font-weight: 600; color: var(--quiet); } th.word, td.word { text-align: left; }
summary { cursor: pointer; } code { font-family: "DejaVu Sans Mono", ui-monospace, monospace; }
.plot { display: block; width: 100%; height: auto; background: var(--card); border-radius: .4rem; margin: .4rem 0; }
svg text { fill: var(--text); font: 13px system-ui, "DejaVu Sans", sans-serif; }
.tick, .axis { fill: var(--quiet) !important; } .middle { text-anchor: middle; } .end { text-anchor: end; }
.grid { stroke: var(--rule); } .axis-line, .border { stroke: var(--quiet); } .border { stroke-dasharray: 2 3; }
.frame { fill: none; stroke: var(--rule); }
.line { fill: none; stroke-width: 2; } .line.drift { stroke: var(--drift); stroke-dasharray: 8 4; }
.line.local { stroke: var(--local); } .line.floor { stroke: var(--floor); stroke-dasharray: 2 4; }
.mark.drift, .bar.drift { fill: var(--drift); } .mark.local, .bar.local { fill: var(--local); }
.mark.floor, .bar.floor { fill: var(--floor); }
.ring { fill: none; stroke: var(--bad); stroke-width: 2.5; } .first { stroke: var(--bad); stroke-dasharray: 5 3; }
.first-label { fill: var(--bad) !important; font-weight: 600 !important; }
.s0 { fill: var(--s0); } .s1 { fill: var(--s1); } .s2 { fill: var(--s2); } .s3 { fill: var(--s3); }
.s4 { fill: var(--s4); } .s5 { fill: var(--s5); } .s6 { fill: var(--s6); } .s7 { fill: var(--s7); }
.s8 { fill: var(--s8); } .s-nan { fill: var(--nan); }
@media print { body { max-width: none; } details { display: block; } }
)css";

}  // namespace lockstep
