/**
 * Who may ask for admission, where that is the API server alone: it shows a certificate (mutual TLS, RFC 8446 §4.3.2), which
 * an AdmissionConfiguration gives it.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { WebhookConfig } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import { FollowedFile } from '../lib/followed-file.ts';
import type { Log } from '../lib/log.ts';
import { readTextFile } from '../lib/text-file.ts';
import { splitPem } from '../x509/certificate.ts';

/** Whose certificates are accepted. */
export interface Clients {
  /** The roots that they lead to, PEM, as they are now. */
  readonly roots: () => string;
  /** Their common names; empty: any. */
  readonly commonNames: readonly string[];
}

/** {@link Clients} by the configuration; `refresh`: whether the roots have changed since it was last asked. */
export function configuredClients(
  { apiServer }: Pick<WebhookConfig, 'apiServer'>,
  log: Log,
): (Clients & { readonly refresh: () => boolean }) | undefined {
  if (!apiServer) return undefined;
  const file = new FollowedFile(apiServer.clientCaFile, readRoots, log);
  return {
    roots: () => file.current,
    commonNames: apiServer.commonNames ?? [],
    refresh: () => file.refresh(),
  };
}

/**
 * Whether a client whose certificate leads to the roots is one of them. Any other is cut off here, with its handshake, before
 * it can ask anything.
 */
export function isAccepted(socket: TLSSocket, { commonNames }: Clients): boolean {
  if (commonNames.length === 0) return true;
  const commonName = socket.getPeerCertificate().subject?.CN;
  if (typeof commonName === 'string' && commonNames.includes(commonName)) return true;
  socket.destroy();
  return false;
}

function readRoots(file: string): string {
  const pem = readTextFile(file);
  const found = splitPem(pem);
  try {
    for (const each of found) new X509Certificate(each);
  } catch (cause) {
    throw new AutocertError('INVALID_CONFIG', `${file} has a certificate that cannot be read`, { cause });
  }
  if (found.length === 0) throw new AutocertError('INVALID_CONFIG', `${file} has no certificate in PEM`);
  return found.join('');
}
