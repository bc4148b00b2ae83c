/**
 * `npm run docs`: the documentation as a site, in `build/docs`. It can be opened as a file, and put on any web server.
 * @module
 */
import { join } from 'node:path';
import { textReporter } from '../../runtime/cli/reporter.ts';
import { colourWanted } from '../../runtime/cli/terminal.ts';
import { ROOT, readJson } from '../project-files.ts';
import { buildSite } from './site.ts';

const { stdout, env } = process;
const { version } = readJson<{ version: string }>('package.json');
await buildSite(
  ROOT,
  join(ROOT, 'build/docs'),
  version,
  textReporter((text) => stdout.write(text), colourWanted(stdout, env)),
);
console.log('\nThe documentation is in build/docs: open build/docs/index.html, or put the folder on a web server.');
