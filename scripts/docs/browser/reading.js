/** On narrow screens the navigation is behind a button. */
export function menu() {
  const button = document.querySelector('button.menu');
  const navigation = document.getElementById('navigation');
  const open = (isOpen) => {
    navigation.classList.toggle('open', isOpen);
    button.setAttribute('aria-expanded', String(isOpen));
    if (isOpen) navigation.querySelector('[aria-current]')?.scrollIntoView({ block: 'center' });
  };
  button.addEventListener('click', () => open(!navigation.classList.contains('open')));
  addEventListener('keydown', ({ key }) => {
    if (key !== 'Escape' || !navigation.classList.contains('open')) return;
    open(false);
    button.focus();
  });
  navigation.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest' });
  scrollTo({ top: location.hash === '' ? 0 : scrollY });
}

/** Marks in the outline where one is. */
export function outlineMarks() {
  const links = new Map([...document.querySelectorAll('.outline a')].map((link) => [link.hash.slice(1), link]));
  if (links.size === 0) return;
  const headings = [...links.keys()].map((id) => document.getElementById(id));
  const mark = () => {
    const current = headings.findLast((heading) => heading.getBoundingClientRect().top < 120);
    for (const [id, link] of links) {
      if (id === current?.id) link.setAttribute('aria-current', 'true');
      else link.removeAttribute('aria-current');
    }
  };
  addEventListener('scroll', () => requestAnimationFrame(mark), { passive: true });
  mark();
}

/** What is wider than the page can be scrolled by the arrow keys, too. */
export function scrollableByKeyboard() {
  const boxes = document.querySelectorAll('.table, pre');
  const look = () => {
    for (const box of boxes) {
      const isWide = box.scrollWidth > box.clientWidth;
      box.toggleAttribute('tabindex', isWide);
      if (!isWide) continue;
      box.tabIndex = 0;
      box.setAttribute('role', 'group');
      box.setAttribute('aria-label', box.tagName === 'PRE' ? 'Code' : 'Table');
    }
  };
  addEventListener('resize', look);
  look();
}
