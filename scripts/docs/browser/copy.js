/** Of a session, what was typed; of all else, all. */
function textOf(block) {
  const text = block.querySelector('code').textContent;
  if (block.dataset.language !== 'session') return text;
  const typed = text.split('\n').filter((line) => /^[$#] /.test(line));
  return typed.length === 0 ? text : `${typed.map((line) => line.slice(2)).join('\n')}\n`;
}

async function copy(text) {
  // Pages that come by plain HTTP from another machine have no clipboard.
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text);
  const area = document.body.appendChild(document.createElement('textarea'));
  area.value = text;
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (!done) throw new Error('the browser lets nothing be copied');
}

export function copyButtons() {
  for (const button of document.querySelectorAll('button.copy')) {
    button.hidden = false;
    button.addEventListener('click', async () => {
      const done = await copy(textOf(button.parentElement)).then(
        () => 'Copied',
        () => 'Failed',
      );
      button.textContent = done;
      setTimeout(() => {
        button.textContent = 'Copy';
      }, 1500);
    });
  }
}
