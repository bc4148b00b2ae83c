/**
 * Checks of props. Each throws one sentence, at synth, in the user's words: which prop, what it got, what it takes.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { Duration } from 'cdk8s';

/** One label of a host name. */
export const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const IMAGE = /^[a-z0-9][a-zA-Z0-9.:_/-]*(@sha256:[0-9a-f]{64})?$/;
const QUANTITY = /^\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi)?$/;

/** What the user gave, quoted and shortened, for a message. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** Throws the sentence. */
export function refuse(prop: string, got: unknown, wanted: string): never {
  throw new Error(`${prop}: got ${shown(got)}, but ${wanted}`);
}

/** A whole number of at least one. */
export function checkReplicas(prop: string, replicas: number): number {
  if (Number.isInteger(replicas) && replicas >= 1) return replicas;
  return refuse(prop, replicas, 'it takes a whole number of at least 1');
}

/** A part of a whole: more than nothing, less than all. */
export function checkShare(prop: string, share: number): number {
  if (share > 0 && share < 1) return share;
  return refuse(prop, share, 'it takes a number between 0 and 1, such as 0.5');
}

/** An image reference that a container runtime can pull. */
export function checkImage(prop: string, image: string): string {
  if (IMAGE.test(image)) return image;
  return refuse(prop, image, 'it takes an image reference such as "registry.example.com/autocert:1.0.0"');
}

/** The name of a namespace, Secret or ConfigMap: one DNS label. */
export function checkName(prop: string, name: string): string {
  if (DNS_LABEL.test(name)) return name;
  return refuse(prop, name, 'it takes lower-case letters, digits and "-", at most 63 of them, such as "step"');
}

function isDnsName(name: string): boolean {
  return name.length <= 253 && name.split('.').every((label) => DNS_LABEL.test(label));
}

/** A DNS domain without a dot at either end. */
export function checkDomain(prop: string, domain: string): string {
  if (isDnsName(domain)) return domain;
  return refuse(prop, domain, 'it takes a DNS domain in lower case without a dot at its end, such as "cluster.local"');
}

/** A host name or an IP address. */
export function checkHost(prop: string, host: string): string {
  if (isIP(host) !== 0 || isDnsName(host)) return host;
  return refuse(prop, host, 'it takes a DNS name in lower case or an IP address, such as "ca.example.com"');
}

/** The base of an HTTPS URL: no path, query or credentials. */
export function checkHttpsOrigin(prop: string, url: string): string {
  const wanted = 'it takes the base of an HTTPS URL, such as "https://ca.example.com:9000"';
  const parsed = URL.canParse(url) ? new URL(url) : refuse(prop, url, wanted);
  if (parsed.protocol !== 'https:' || `${parsed.origin}/` !== parsed.href) refuse(prop, url, wanted);
  return parsed.origin;
}

/** One of the words that an API takes. */
export function checkOneOf<T extends string>(prop: string, value: T, words: readonly T[]): T {
  if (words.includes(value)) return value;
  return refuse(prop, value, `it takes ${words.map((word) => `"${word}"`).join(' or ')}`);
}

/** Requests and limits, as Kubernetes writes quantities. */
export function checkQuantity(prop: string, quantity: string): string {
  if (QUANTITY.test(quantity)) return quantity;
  return refuse(
    prop,
    quantity,
    'it takes a quantity as Kubernetes writes it, such as "100m" for CPU or "64Mi" for memory',
  );
}

/** What a wrong PEM was given as must not be shown: it may be a private key. */
function refusePem(prop: string, wanted: string): never {
  throw new Error(`${prop}: ${wanted}`);
}

/** One or more CA certificates in PEM, parsed. */
export function checkCaCertificates(prop: string, pem: string): readonly X509Certificate[] {
  const blocks = pem.match(PEM_CERTIFICATE) ?? [];
  if (/PRIVATE KEY-----/.test(pem)) refusePem(prop, 'contains a private key, but it takes certificates only');
  if (blocks.length === 0) refusePem(prop, 'has no "-----BEGIN CERTIFICATE-----" in it, but it takes PEM certificates');
  return blocks.map((block, index) => {
    const certificate = parseCertificate(block);
    if (certificate === undefined) return refusePem(prop, `certificate ${index + 1} cannot be read: is it cut short?`);
    if (certificate.ca) return certificate;
    return refuse(prop, certificate.subject, 'it takes certificates of a CA (basic constraint CA:TRUE)');
  });
}

function parseCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/** A duration in Go's syntax, `24h` or `1h30m`, as step-ca and our programs read it. Whole seconds, and more than none. */
export function goDuration(prop: string, duration: Duration): string {
  const milliseconds = duration.toMilliseconds();
  if (milliseconds > 0 && milliseconds % 1000 === 0) return shownDuration(duration);
  return refuse(prop, shownDuration(duration), 'it takes whole seconds, and more than none');
}

/** For messages; `Duration.toHumanString` of cdk8s calls two hours "1 hour 60 minutes". */
export function shownDuration(duration: Duration): string {
  const seconds = duration.toMilliseconds() / 1000;
  const parts = [
    [Math.floor(seconds / 3600), 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const;
  return parts.flatMap(([amount, unit]) => (amount === 0 ? [] : [`${amount}${unit}`])).join('') || '0s';
}

/** That `shorter` is not longer than `longer`. */
export function checkOrder(shorter: [prop: string, Duration], longer: [prop: string, Duration]): void {
  if (shorter[1].toMilliseconds() <= longer[1].toMilliseconds()) return;
  refuse(shorter[0], shownDuration(shorter[1]), `it must not exceed ${longer[0]}, ${shownDuration(longer[1])}`);
}
