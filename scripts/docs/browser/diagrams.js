import { isDark } from './theme.js';

/** The page's own colours, so that a diagram looks like a part of it. */
function colours() {
  const style = getComputedStyle(document.documentElement);
  const dark = isDark();
  const of = (name) => style.getPropertyValue(`--${name}-${dark ? 'dark' : 'light'}`).trim();
  return {
    darkMode: dark,
    background: of('page'),
    primaryColor: of('raised'),
    primaryBorderColor: of('accent'),
    primaryTextColor: of('text'),
    secondaryColor: of('raised'),
    tertiaryColor: of('page'),
    tertiaryBorderColor: of('line'),
    lineColor: of('faint'),
    textColor: of('text'),
    clusterBkg: of('page'),
    clusterBorder: of('line'),
    edgeLabelBackground: of('page'),
    noteBkgColor: of('raised'),
    noteBorderColor: of('line'),
    noteTextColor: of('text'),
    actorLineColor: of('line'),
    labelBoxBkgColor: of('raised'),
    labelBoxBorderColor: of('line'),
    fontFamily: style.getPropertyValue('--sans'),
    fontSize: '16px',
  };
}

/** Draws the diagrams of the page, if it has any. Gives what draws them again, in other colours. */
export function diagrams() {
  const figures = [...document.querySelectorAll('figure.diagram')];
  let turn = 0;
  const draw = async () => {
    const now = ++turn;
    const { mermaid } = globalThis;
    const fontFamily = getComputedStyle(document.body).fontFamily;
    mermaid.initialize({
      ...{ startOnLoad: false, securityLevel: 'strict', look: 'classic', fontFamily },
      ...{ theme: 'base', themeVariables: colours() },
      flowchart: { nodeSpacing: 30, rankSpacing: 35, padding: 10 },
    });
    for (const [at, figure] of figures.entries()) {
      const { svg } = await mermaid.render(`diagram-${now}-${at}`, figure.querySelector('code').textContent);
      if (now !== turn) return;
      const drawing = figure.querySelector('.drawing');
      drawing.innerHTML = svg;
      drawing.hidden = false;
      drawing.setAttribute('role', 'img');
      drawing.setAttribute('aria-label', 'A diagram; what it shows is below it in words');
      if (now === 1) figure.querySelector('details').open = false;
    }
  };
  const drawOrSay = () => {
    if (figures.length > 0) draw().catch((error) => console.error('a diagram cannot be drawn', error));
  };
  drawOrSay();
  return drawOrSay;
}
