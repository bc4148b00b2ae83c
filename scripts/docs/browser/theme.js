/** Light, dark, or as the system has it: the button goes round. */
const NEXT = { system: 'light', light: 'dark', dark: 'system' };

/** Storage may be forbidden: then the choice lasts as long as the page. */
function remember(theme) {
  try {
    if (theme === 'system') localStorage.removeItem('theme');
    else localStorage.setItem('theme', theme);
  } catch {}
}

/** Whether the page is dark now. */
export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen === undefined ? matchMedia('(prefers-color-scheme: dark)').matches : chosen === 'dark';
}

export function themeButton(onChange) {
  const button = document.querySelector('button.theme');
  const show = () => {
    const theme = document.documentElement.dataset.theme ?? 'system';
    button.textContent = { system: 'Auto', light: 'Light', dark: 'Dark' }[theme];
    button.setAttribute('aria-label', `Colours: ${button.textContent}`);
  };
  button.addEventListener('click', () => {
    const theme = NEXT[document.documentElement.dataset.theme ?? 'system'];
    if (theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    remember(theme);
    show();
    onChange();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', onChange);
  button.hidden = false;
  show();
}
