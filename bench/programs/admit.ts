/**
 * Sends admissions to a webhook: `node admit.ts <URL> <how many>`.
 * @module
 */
import { load } from '../load.ts';
import { REVIEW } from '../pod.ts';

const [url = '', amount = '1'] = process.argv.slice(2);
const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: REVIEW } as const;
await load({ ...post, url, connections: 32, amount: Number(amount) });
