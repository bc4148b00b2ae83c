/**
 * What a target of the fuzzing found: how many cases, what became of them, which of them are wrong, how long the slowest took.
 * @module
 */

/** Longest that one case may take, milliseconds, on a machine that does other things as well. */
export const SLOWEST_MS = 1_000;
/** Wrong cases that are kept. */
const KEPT = 20;

/** Counts and findings. */
export class Outcome {
  readonly target: string;
  cases = 0;
  readonly counts: Record<string, number> = {};
  /** What went wrong, with the case. */
  readonly problems: string[] = [];
  problemCount = 0;
  slowestMs = 0;

  constructor(target: string) {
    this.target = target;
  }

  /** Notes what became of a case. */
  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  /** Notes a case that is wrong. */
  problem(what: string, given: unknown): void {
    this.problemCount += 1;
    if (this.problems.length < KEPT) this.problems.push(`${what}: ${JSON.stringify(given)?.slice(0, 3000)}`);
  }

  /** Runs a case; what it throws is a problem, and so is taking too long. */
  async run(given: unknown, attempt: () => unknown): Promise<void> {
    this.cases += 1;
    const started = performance.now();
    try {
      await attempt();
    } catch (error) {
      this.problem(error instanceof Error ? (error.stack ?? error.message) : String(error), given);
    }
    const took = performance.now() - started;
    this.slowestMs = Math.max(this.slowestMs, took);
    if (took > SLOWEST_MS) this.problem(`took ${Math.round(took)} ms`, given);
  }

  /** One line. */
  toString(): string {
    const counts = Object.entries(this.counts).map(([what, count]) => `${count} ${what}`);
    return `${this.target}: ${this.cases} cases, ${this.problemCount} wrong; ${counts.join(', ')}; slowest ${Math.round(this.slowestMs)} ms`;
  }
}
