import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { Outcome } from '../../runtime/agent/wake.ts';
import { buildProgram } from '../../runtime/cli/program.ts';
import { auditFields, ISSUED_REASON } from '../../runtime/step-ca/audit.ts';
import { reasonLabel } from '../../runtime/step-ca/certificate-metrics.ts';
import { readTold } from '../support/told.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const REFERENCE = read('docs/reference.md');

/** The rows of a section's tables, each cell as it is written. */
function rowsOf(section: string): readonly (readonly string[])[] {
  const [, text = ''] = REFERENCE.split(new RegExp(`^##+ ${section}$`, 'm'));
  const [body = ''] = text.split(/^##+ /m);
  const lines = body.split('\n').filter((line) => line.startsWith('|'));
  const isRule = (line = '') => line.startsWith('| ---');
  const rows = lines.filter((line, at) => !isRule(line) && !isRule(lines[at + 1]));
  return rows.map((line) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  );
}

/** The words in code of a cell. */
const codes = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
const { metrics, messages } = readTold();

describe('the reference of metrics', () => {
  const rows = rowsOf('Metrics');

  test('has each metric that the programs make, with its type and its labels, and no other', () => {
    const documented = rows.map(([name, type, labels]) => [...codes(name), type, ...codes(labels)].join(' '));
    const made = metrics.map(({ name, type, labels }) => [name, type, ...labels].join(' '));
    expect(made.length).toBeGreaterThan(30);
    expect(documented.sort()).toEqual([...new Set(made)].sort());
  });

  test('says who has it', () => {
    for (const [name, , , of = ''] of rows) {
      const parts = metrics.filter((metric) => codes(name).includes(metric.name)).map(({ part }) => part);
      // Only the leader of the signers has some of them. What both have is made in step-ca/.
      const who = new Set(of.replaceAll('leader', 'signer').split(', '));
      expect([name, [...who].sort()]).toEqual([
        name,
        [...new Set(parts.flatMap((part) => (part === 'step-ca' ? ['signer', 'webhook'] : [part])))].sort(),
      ]);
    }
  });
});

describe('the reference of Events', () => {
  const rows = rowsOf('Events');

  test('has each reason that is given, and no other', () => {
    const sources = [
      'policy/judgement.ts',
      'signer/judge-request.ts',
      'signer/reconciler.ts',
      'webhook/failure-reports.ts',
    ];
    const source = sources.map((file) => read(`runtime/${file}`)).join('\n');
    const given = [
      ...source.matchAll(/\b(?:wrong|forbidden|refuse|recordEvent)\((?:\{[^}]*\}, )?\s*'([A-Z]\w+)'/g),
      ...source.matchAll(/\breason: '([A-Z]\w+)'/g),
    ].map(([, reason]) => reason);
    // What the certificate endpoint refuses without a reason of the judgement goes by its code.
    const byCode = ['INVALID_INPUT', 'UNAUTHENTICATED', 'CA_REJECTED'].map(reasonLabel);
    const all = new Set([...given, ...byCode, ISSUED_REASON]);
    expect(rows.flatMap(([reason]) => codes(reason)).sort()).toEqual([...all].sort());
  });

  test('tells warnings from news', () => {
    const news = rows.filter(([, type]) => type !== 'Warning').map(([reason, type]) => [...codes(reason), type]);
    expect(news).toEqual([[ISSUED_REASON, 'Normal']]);
  });
});

describe('the reference of log lines', () => {
  test('says who writes them', () => {
    const files = ['webhook/run.ts', 'signer/run.ts', 'supervisor/run.ts', 'agent/worker.ts', 'cli/pki.ts'];
    const sources = files.map((file) => read(`runtime/${file}`)).join('\n');
    const named = [...sources.matchAll(/(?:serverLog\(|jsonLog\(\{ component: )'([^']+)'/g)].map(([, name]) => name);
    const documented = rowsOf('Log lines').filter(([field]) => field === '`component`');
    expect(documented.flatMap(([, text]) => codes(text)).sort()).toEqual(named.sort());
  });

  test('has each field of the audit line', () => {
    const who = { namespace: 'n', podName: 'p', podUID: 'u', serviceAccountName: 's' };
    const what = { names: [], serial: '1', notAfter: new Date(), purpose: 'renewal' as const };
    const fields = Object.keys(auditFields(who as never, what, 'native', 1));
    const documented = rowsOf('The audit line').flatMap(([field]) => codes(field));
    expect(documented.sort()).toEqual([...fields, 'request'].sort());
  });

  test('has each message of a level above news, with that level, and no other', () => {
    const documented = rowsOf('Messages that somebody should see').flatMap(([level, text]) =>
      codes(text).map((code) => `${level} ${code}`),
    );
    // Of messages that are put together.
    const composed = ['40 admission', '40 request denied', '40 request failed'];
    const said = new Set([...messages.map(({ level, text }) => `${level} ${text}`), ...composed]);
    expect(documented.sort()).toEqual([...said].sort());
  });
});

describe('the reference of exit codes', () => {
  const rows = rowsOf('Exit codes');

  test('has each code of the worker', () => {
    const from = rows.findIndex(([program]) => program === 'its worker');
    const worker = rows.slice(
      from,
      rows.findIndex(([program]) => program?.startsWith('webhook')),
    );
    expect(worker.map(([, code]) => Number(code))).toEqual(Object.values(Outcome));
  });

  const command = (name: string) => buildProgram().commands.find((one) => one.name() === name) as Command;
  const helpOf = (name: string) => {
    let help = '';
    command(name)
      .configureOutput({
        writeOut: (text) => {
          help += text;
        },
      })
      .outputHelp();
    return help;
  };
  const own = buildProgram()
    .commands.map((one) => one.name())
    .filter((name) => /^Exit codes:/m.test(helpOf(name)));

  test('leads to each command that has codes of its own', () => {
    const links = [...REFERENCE.matchAll(/\(cli\.md#(\w+)\)/g)].map(([, name]) => name);
    expect(own.length).toBeGreaterThan(3);
    expect([...links].sort()).toEqual([...own].sort());
  });

  test.each(own)('is, in cli.md, what `autocert %s --help` says', (name) => {
    const [, said = ''] = /^Exit codes: ([\s\S]*?)\.(?:\s|$)/m.exec(helpOf(name)) ?? [];
    const [, section = ''] = read('docs/cli.md').split(`\n## ${name}\n`);
    const [text = ''] = section.split('\n## ');
    expect(text.replaceAll(/\s+/g, ' ')).toContain(`Exit codes: ${said.replaceAll(/\s+/g, ' ')}.`);
  });
});
