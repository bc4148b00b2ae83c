/**
 * Evaluates the CEL that says which names a pod may have, by turning it into JavaScript: as much of the language as it
 * uses, and anything else throws. A real API server has the last word (test/e2e).
 * @module
 */
import { BlockList, isIP } from 'node:net';
import { createContext, Script } from 'node:vm';
import type { CelNames } from '../../constructs/cel-names.ts';

/** Methods of CEL that JavaScript's strings, lists and maps lack, in a realm of their own. */
const REALM = new Script(`
  const add = (type, methods) => {
    for (const [name, value] of Object.entries(methods)) Object.defineProperty(type.prototype, name, { value });
  };
  const size = function () { return this.length; };
  add(Object, { lookup: function (key, otherwise) { return Object.hasOwn(this, key) ? this[key] : otherwise; } });
  add(String, {
    size,
    contains: String.prototype.includes,
    matches: function (expression) { return new RegExp(expression).test(this); },
  });
  add(Array, { size, exists: Array.prototype.some });
  const string = String;
  const isIn = (item, list) => list.includes(item);
`);

const familyOf = (text: string) => (isIP(text) === 4 ? 'ipv4' : 'ipv6');
const ADDRESSES = {
  // The API server's takes no IPv4 address in IPv6 form, and no zone.
  isIP: (text: string) => isIP(text) !== 0 && !/^::ffff:|%/i.test(text),
  ip: (text: string) => text,
  cidr: (block: string) => ({
    containsIP: (address: string) => {
      const [network = '', bits] = block.split('/');
      const list = new BlockList();
      list.addSubnet(network, Number(bits), familyOf(network));
      return familyOf(network) === familyOf(address) && list.check(address, familyOf(address));
    },
  }),
};

/** Who asks for which name. */
export interface Asked {
  readonly namespace: string;
  /** @default - the pod has none */
  readonly serviceAccount?: string;
  readonly name: string;
}

/** Makes evaluators of the expressions. */
export function evaluated(names: CelNames) {
  const context = createContext({ ...ADDRESSES, request: {}, variables: {}, name: '' }) as {
    request: object;
    name: string;
    variables: Record<string, unknown>;
  };
  REALM.runInContext(context);
  const variables = Object.entries(names.variables).map(([name, text]) => [name, script(text)] as const);
  const evaluator = (expression: string) => {
    const compiled = script(expression);
    return ({ namespace, serviceAccount, name }: Asked): boolean => {
      Object.assign(context, {
        request: { namespace },
        variables: { spec: new Script('({})').runInContext(context) },
        name,
      });
      if (serviceAccount !== undefined)
        Object.assign(context.variables.spec as object, { serviceAccountName: serviceAccount });
      for (const [key, variable] of variables) context.variables[key] = variable.runInContext(context);
      return compiled.runInContext(context) as boolean;
    };
  };
  return {
    allowed: evaluator(names.allowed),
    reserved: evaluator(names.reserved),
    bound: evaluator(names.bound),
  };
}

/** Literals are set aside, since nothing in them is code. */
function script(expression: string): Script {
  const literals: string[] = [];
  const code = expression
    .replace(/"(?:[^"\\]|\\.)*"/g, (literal) => `@${literals.push(literal) - 1}@`)
    .replace(/\.(exists|filter)\((\w+), /g, '.$1(($2) => ')
    .replace(/\.\?(\w+)\.orValue\(/g, '.lookup("$1", ')
    .replace(/\[\?([^[\]]+)\]\.orValue\(/g, '.lookup($1, ')
    .replace(/([\w.]+) in (\[[^\]]*\])/g, 'isIn($1, $2)')
    .replace(/@(\d+)@/g, (_, index) => literals[Number(index)] ?? '');
  return new Script(`(${code})`);
}
