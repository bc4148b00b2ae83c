/**
 * The program `autocert-agent-worker`, bundled to `build/agent.cjs`.
 * @module
 */
import { Outcome } from './wake.ts';
import { main } from './worker.ts';

// Node's own exit code for these would say that the state tells how to go on.
process.once('uncaughtException', (error) => {
  process.stderr.write(`autocert-agent: ${error.stack}\n`);
  process.exit(Outcome.unknown);
});

void main(process.argv.slice(2), process.env).then(
  // Ends now: a connection that is still closing must not hold it up.
  (code) => process.exit(code),
  () => process.exit(Outcome.unknown),
);
