/**
 * What becomes of npm's answers to `npm audit` and `npm audit signatures`: pure.
 * @module
 */

/** An advisory that is accepted. */
export interface AuditException {
  /** Such as `GHSA-xxxx-xxxx-xxxx`. */
  readonly id: string;
  /** Why it does no harm here. */
  readonly reason: string;
  /** The last day on which it is accepted: `2027-01-31`. */
  readonly until: string;
}

/** `unavailable`: the registry does not offer this, so nothing is known. */
export interface Verdict {
  readonly outcome: 'passed' | 'failed' | 'unavailable';
  /** For whoever reads CI's log. */
  readonly text: string;
}

/** What the judgement knows besides npm's answer. */
export interface AuditContext {
  /** Folders of the packages that are in the bundles, such as `node_modules/ajv`. */
  readonly bundled: readonly string[];
  readonly exceptions: readonly AuditException[];
  readonly today: Date;
}

const SEVERITIES = ['info', 'low', 'moderate', 'high', 'critical'];
/** From which severity on a finding fails. */
const FAILS_FROM = { bundled: 'info', tool: 'high' } as const;

/** An endpoint that is not there, and a registry that cannot be reached. Anything else, such as a 403, is a failure. */
const NO_ENDPOINT = [404, 405, 410, 501, 502, 503, 504];
const NO_NETWORK = ['ENOTFOUND', 'EAI_AGAIN', 'ECONNREFUSED', 'ECONNRESET', 'ENETUNREACH', 'EHOSTUNREACH', 'ETIMEDOUT'];
const ERROR_STATUS = /^E(\d{3})$/;

interface Advisory {
  readonly url?: string;
  readonly source?: number | string;
  readonly title?: string;
  readonly severity?: string;
}

interface Finding {
  readonly nodes?: readonly string[];
  readonly via?: readonly (string | Advisory)[];
}

/** Judges the answer of `npm audit --json`. */
export function auditVerdict(answer: string, { bundled, exceptions, today }: AuditContext): Verdict {
  const what = 'npm audit';
  const wrong = exceptions.filter(({ id, reason, until }) => !id || !reason || !/^\d{4}-\d\d-\d\d$/.test(until ?? ''));
  if (wrong.length > 0)
    return failed(
      what,
      wrong.map((each) => `exception ${JSON.stringify(each)} needs id, reason and until`),
    );
  // Whatever the registry says: an exception that nobody looks at any more must not stay because a mirror knows nothing.
  const expired = exceptions.filter(({ until }) => until < today.toISOString().slice(0, 10));
  if (expired.length > 0) {
    return failed(
      what,
      expired.map(({ id, until }) => `the exception for ${id} ended on ${until}: look at it again`),
    );
  }
  const report = parsed(answer);
  const vulnerabilities = report?.vulnerabilities;
  if (typeof vulnerabilities !== 'object' || vulnerabilities === null) return withoutReport(what, report, answer);
  const findings = Object.entries(vulnerabilities as Record<string, Finding>).flatMap(
    ([name, { nodes = [], via = [] }]) =>
      via.flatMap((advisory) => (typeof advisory === 'string' ? [] : [{ name, nodes, ...described(advisory) }])),
  );
  const excepted = new Set(exceptions.map(({ id }) => id));
  const judged = findings.map((finding) => {
    const isBundled = finding.nodes.some((node) => bundled.includes(node));
    const from = FAILS_FROM[isBundled ? 'bundled' : 'tool'];
    const line = `${finding.name} (${isBundled ? 'in a bundle' : 'a tool'}): ${finding.severity}, ${finding.title}, ${finding.id}`;
    return { id: finding.id, line, fails: rank(finding.severity) >= rank(from) && !excepted.has(finding.id) };
  });
  const unused = [...excepted].filter((id) => !judged.some((each) => each.id === id));
  const notes = [
    ...judged.filter(({ fails }) => !fails).map(({ line }) => `accepted: ${line}`),
    ...unused.map((id) => `the exception for ${id} is not needed any more`),
  ];
  const failures = judged.filter(({ fails }) => fails).map(({ line }) => line);
  if (failures.length > 0) {
    const remedy = 'update the package, or argue an exception in scripts/audit-exceptions.json';
    return failed(what, [...failures, ...notes, remedy]);
  }
  return { outcome: 'passed', text: [`${what}: nothing that fails`, ...notes].join('\n  ') };
}

/** Judges the answer of `npm audit signatures --json`. */
export function signatureVerdict(answer: string): Verdict {
  const what = 'npm audit signatures';
  const report = parsed(answer);
  const [invalid, missing] = [report?.invalid, report?.missing];
  if (!Array.isArray(invalid) || !Array.isArray(missing)) return withoutReport(what, report, answer);
  const line = (kind: string) => (each: { readonly name?: string; readonly version?: string }) =>
    `${each.name}@${each.version}: ${kind}`;
  const failures = [...invalid.map(line('the signature is wrong')), ...missing.map(line('no signature'))];
  return failures.length > 0 ? failed(what, failures) : { outcome: 'passed', text: `${what}: all are signed` };
}

function withoutReport(what: string, report: Record<string, unknown> | undefined, answer: string): Verdict {
  const error = (report?.error ?? {}) as { readonly code?: unknown; readonly summary?: unknown };
  const code = String(error.code ?? '');
  const status = Number(report?.statusCode ?? ERROR_STATUS.exec(code)?.[1]);
  const reason = [String(report?.message ?? error.summary ?? ''), code].filter(Boolean).join(', ');
  if (!NO_ENDPOINT.includes(status) && !NO_NETWORK.includes(code)) {
    return failed(what, [
      `no report, and not because the endpoint is unavailable: ${reason || answer.slice(0, 500) || 'no answer'}`,
    ]);
  }
  const line = '!'.repeat(80);
  const text = `${line}\n${what}: NOT CHECKED, endpoint unavailable: ${reason}\nRun it where the registry offers it.\n${line}`;
  return { outcome: 'unavailable', text };
}

function described({ url = '', source = '', title = '', severity = '' }: Advisory) {
  return { id: /GHSA-[\w-]+$/.exec(url)?.[0] ?? String(source), title, severity };
}

/** Unknown severities are the worst. */
function rank(severity: string): number {
  const index = SEVERITIES.indexOf(severity);
  return index < 0 ? SEVERITIES.length : index;
}

function parsed(answer: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(answer);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function failed(what: string, lines: readonly string[]): Verdict {
  return { outcome: 'failed', text: [`${what}: FAILED`, ...lines].join('\n  ') };
}
