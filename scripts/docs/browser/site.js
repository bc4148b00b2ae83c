/**
 * What the pages do beyond being read; each is readable without.
 */
import { copyButtons } from './copy.js';
import { diagrams } from './diagrams.js';
import { menu, outlineMarks, scrollableByKeyboard } from './reading.js';
import { search } from './search.js';
import { themeButton } from './theme.js';

const drawAgain = diagrams();
themeButton(drawAgain);
menu();
outlineMarks();
copyButtons();
search();
scrollableByKeyboard();
