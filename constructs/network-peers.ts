/**
 * Who is at the other end of a connection, in the words of a NetworkPolicy, checked. What is wrong in one of them would
 * mostly open more than was meant: a selector whose key is misspelt selects everything.
 * @module
 */
import { isIP } from 'node:net';
import type { k8s } from 'cdk8s-plus-27';
import { checkLabels } from './labels.ts';
import {
  type Check,
  check,
  checkFields,
  checkLabelValue,
  checkList,
  checkOneOf,
  checkOptional,
  checkString,
  checkText,
  refuse,
} from './validation.ts';

/** Pods or addresses, and the TCP ports that are reached there. */
export interface NetworkDestination extends k8s.NetworkPolicyPeer {
  /** TCP ports: those of the pods themselves, behind whichever port of a Service. */
  readonly ports: readonly number[];
}

const WANTED =
  'it takes { podSelector }, { namespaceSelector }, or both; or { ipBlock: { cidr: "192.0.2.0/24" } }: a peer of a NetworkPolicy';

/** A TCP port. */
export const checkPort = check(
  'it takes a port: a whole number from 1 to 65535',
  (value): value is number => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535,
);

/** A block of addresses. */
export const checkCidr = checkString('it takes a CIDR block, such as "192.0.2.0/24" or "2001:db8::/32"', (text) => {
  const [address = '', bits = '', ...more] = text.split('/');
  const widest = isIP(address) === 4 ? 32 : 128;
  const isAddress = isIP(address) !== 0 && !address.includes('%');
  return isAddress && more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= widest;
});

/** A list with something in it: in a NetworkPolicy an empty one stands for everybody. */
export function checkSome<T>(prop: string, value: unknown, of: Check<T>): readonly T[] {
  const list = checkList(prop, value, of);
  return list.length > 0 ? list : refuse(prop, value, 'it takes a list of at least one');
}

/** Pods by their labels and those of their namespaces, or a block of addresses. */
export function checkPeer(prop: string, value: unknown): k8s.NetworkPolicyPeer {
  const { podSelector, namespaceSelector, ipBlock } = checkFields(prop, value, PEER_FIELDS);
  const selects = podSelector !== undefined || namespaceSelector !== undefined;
  if (selects === (ipBlock !== undefined)) refuse(prop, value, WANTED);
  checkOptional(`${prop}.podSelector`, podSelector, checkSelector);
  checkOptional(`${prop}.namespaceSelector`, namespaceSelector, checkSelector);
  checkOptional(`${prop}.ipBlock`, ipBlock, checkBlock);
  return value as k8s.NetworkPolicyPeer;
}

/** Such a peer with ports. */
export function checkDestination(prop: string, value: unknown): NetworkDestination {
  const { ports, ...peer } = checkFields(prop, value, [...PEER_FIELDS, 'ports']);
  return { ...checkPeer(prop, peer), ports: checkSome(`${prop}.ports`, ports, checkPort) };
}

const PEER_FIELDS = ['podSelector', 'namespaceSelector', 'ipBlock'] as const;

function checkSelector(prop: string, value: unknown): void {
  const { matchLabels, matchExpressions } = checkFields(prop, value, ['matchLabels', 'matchExpressions']);
  checkOptional(`${prop}.matchLabels`, matchLabels, checkLabels);
  checkOptional(`${prop}.matchExpressions`, matchExpressions, (at, list) => checkList(at, list, checkExpression));
}

function checkExpression(prop: string, value: unknown): void {
  const { key, operator, values } = checkFields(prop, value, ['key', 'operator', 'values']);
  checkText(`${prop}.key`, key);
  const listed = checkOneOf(`${prop}.operator`, operator, ['In', 'NotIn', 'Exists', 'DoesNotExist']).endsWith('In');
  if (listed) checkSome(`${prop}.values`, values, checkLabelValue);
  else if (values !== undefined) refuse(`${prop}.values`, values, 'this operator takes none');
}

function checkBlock(prop: string, value: unknown): void {
  const { cidr, except } = checkFields(prop, value, ['cidr', 'except']);
  checkCidr(`${prop}.cidr`, cidr);
  checkOptional(`${prop}.except`, except, (at, list) => checkList(at, list, checkCidr));
}
