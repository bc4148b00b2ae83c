import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PropsInterface, propsReader } from '../../../../scripts/docs/props.ts';
import { tablesOf, writeTables } from '../../../../scripts/docs/props-tables.ts';

const ROOT = join(import.meta.dirname, '../../../..');
const readPage = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const GUIDE = readPage('docs/constructs.md');

/** Interfaces that the package exports and that nobody fills in, or whose props are in the table of what inherits them. */
const WITHOUT_TABLE = [
  ...['SchedulingProps', 'NamespaceRules'], // in the tables of PodProps and AutocertNamespaceProps
  ...['IStepCa', 'IAutocertWebhook', 'SystemNetwork', 'ContainerImage'], // what constructs know of each other
  ...['AutocertSignerProps', 'InjectionPolicyProps', 'ValidationPolicyProps'], // made by AutocertWebhook
  ...['PolicyConfig', 'NamespacePolicy'], // what the programs read
];

describe('the tables of docs/constructs.md', () => {
  const { names, read } = propsReader(ROOT);

  test('are what the TSDoc says: after a change `npm run docs:reference` writes them', () => {
    expect(writeTables(GUIDE, { page: 'docs/constructs.md', read, readPage })).toBe(GUIDE);
  });

  test('are one for each interface that is filled in', () => {
    expect([...tablesOf(GUIDE), ...WITHOUT_TABLE].sort()).toEqual(names);
  });
});

describe('a table', () => {
  const interfaces: Record<string, PropsInterface> = {
    Base: {
      name: 'Base',
      bases: [],
      props: [{ name: 'old', type: 'number', usual: '`1`', text: 'An old one.', see: [] }],
    },
    Shared: { name: 'Shared', bases: [], props: [{ name: 'all', type: 'string', text: 'Of all.', see: [] }] },
    Props: {
      name: 'Props',
      bases: ['Base', 'Shared'],
      props: [{ name: 'of', type: "Shared[] | 'any'", text: 'Which.', see: ['docs/b.md', 'docs/b.md#more'] }],
    },
  };
  const table = (name: string) => `<!-- props: ${name} -->\nstale\n<!-- end of props -->\n`;
  const page = `# A\n\n## Props\n\n${table('Props')}\n## Shared by *all*\n\n${table('Shared')}`;
  const read = (name: string) => {
    const found = interfaces[name];
    if (found === undefined) throw new Error(name);
    return found;
  };
  const written = writeTables(page, {
    page: 'docs/a.md',
    read,
    readPage: (path) => (path === 'docs/b.md' ? '# B\n\n## More\n' : ''),
  });

  test('has what is inherited from an interface without a table, and leads to the table of one that has it', () => {
    expect(written).toContain('| `old` | `number` | `1` | An old one. |');
    expect(written).toContain('It takes those of [Shared by all](#shared-by-all), too.');
    expect(written.match(/`all`/g)).toHaveLength(1);
  });

  test('says what has to be given, and leads to the table of its type and to what TSDoc names', () => {
    const links = '[Shared by all](#shared-by-all), [B](b.md), [More](b.md#more)';
    expect(written).toContain(`| \`of\` | \`Shared[] \\| 'any'\` | required | Which. See ${links}. |`);
  });

  test('is the same when it is written again, and all around it stays', () => {
    expect(written).not.toContain('stale');
    expect(written.startsWith('# A\n\n## Props\n\n<!-- props: Props -->')).toBe(true);
  });

  test('refuses a place that is not there', () => {
    const wrong = {
      name: 'Props',
      bases: [],
      props: [{ name: 'of', type: 'string', text: 'Which.', see: ['docs/b.md#less'] }],
    };
    const sources = { page: 'docs/a.md', read: () => wrong, readPage: () => '# B\n' };
    expect(() => writeTables(table('Props'), sources)).toThrow('@see docs/b.md#less: there is no such heading');
  });
});
