/**
 * `npm run fuzz`: everything that comes from outside, many times, and a real API server as the judge of it. The seed is
 * printed: the same one gives the same cases.
 * @module
 */
import { randomInt } from 'node:crypto';
import { flagsOf } from '../../scripts/flags.ts';
import { ApiServer } from '../support/api-server.ts';
import { compare, prepare } from './agreement.ts';
import type { Outcome } from './outcome.ts';
import { podCertificateRequests, statusesAreTaken } from './pod-certificate-requests.ts';
import { admissionReviews, certificateRequests, certificateSigningRequests } from './programs.ts';

const HELP = `npm run fuzz [-- flags]: what comes from outside, many times, with a real API server as the judge

  --seed N        the same cases again
  --count N       cases a target (20000)
  --api-count N   cases that the API server judges (as --count); 0: no API server is started`;

const { values } = flagsOf(HELP, {
  options: {
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    count: { type: 'string', default: '20000' },
    'api-count': { type: 'string' },
  },
});
const [seed, count] = [Number(values.seed), Number(values.count)];
const apiCount = Number(values['api-count'] ?? count);

let wrong = 0;
const show = (outcome: Outcome) => {
  wrong += outcome.problemCount;
  console.log(String(outcome));
  for (const problem of outcome.problems) console.log(`  ${problem}`);
};

console.log(
  `seed ${seed}, ${count} cases a target, ${apiCount} by the API server; again: npm run fuzz -- --seed ${seed}`,
);
for (const target of [admissionReviews, certificateSigningRequests, certificateRequests, podCertificateRequests]) {
  show(await target({ seed, count }));
}
if (apiCount > 0) {
  await using server = await ApiServer.start();
  await prepare(server);
  show(await compare(server, seed, apiCount));
  show(await statusesAreTaken(server, { seed, count: Math.ceil(apiCount / 20) }));
}
console.log(wrong === 0 ? 'nothing wrong' : `${wrong} wrong`);
process.exitCode = wrong === 0 ? 0 : 1;
