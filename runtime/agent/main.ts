/**
 * The program `autocert-agent`, bundled to `build/agent.cjs`.
 * @module
 */
import { main } from './agent.ts';

void main(process.argv.slice(2), process.env).then((code) => {
  // Ends now: a connection that is still closing must not hold up the stop of the pod.
  process.exit(code);
});
