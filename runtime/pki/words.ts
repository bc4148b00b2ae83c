/**
 * How the PKI's commands name things to people.
 * @module
 */
import { authorityNameOf } from '../x509/signing.ts';

/** A root or an intermediate, by its common name. */
export const title = (pem: string) => JSON.stringify(authorityNameOf(pem).commonName);

/** A date: the day, UTC. */
export const day = (date: Date) => date.toISOString().slice(0, 10);
