/**
 * Names of images in registries: `REGISTRY/NAME[:TAG]`.
 * @module
 */

/** One name. */
export interface Reference {
  /** Host, with a port where there is one. */
  readonly registry: string;
  readonly name: string;
  readonly tag: string;
}

const LONGEST = 512;
/** As the OCI distribution specification has them. */
const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const REGISTRY = /^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

/**
 * @param text what the user wrote
 * @param tag where the user wrote none
 * @throws Error that says what is wanted
 */
export function parseReference(text: string, tag: string): Reference {
  const refuse = (why: string): Error =>
    new Error(
      `--push: got ${JSON.stringify(text.slice(0, LONGEST))}, ${why}; it takes REGISTRY/NAME[:TAG], such as registry.example.com/team/autocert:0.1.0`,
    );
  if (text.length > LONGEST) throw refuse(`which is longer than ${LONGEST} characters`);
  const slash = text.indexOf('/');
  const registry = text.slice(0, Math.max(slash, 0));
  if (!REGISTRY.test(registry) || !(/[.:]/.test(registry) || registry === 'localhost')) {
    throw refuse('which names no registry');
  }
  const rest = text.slice(slash + 1);
  if (rest.includes('@')) throw refuse('but a digest follows from what is pushed');
  const [name = '', own = tag, ...more] = rest.split(':');
  if (!NAME.test(name))
    throw refuse(`whose name ${JSON.stringify(name)} has not the form of one: small letters, digits, . _ - /`);
  if (more.length > 0 || !TAG.test(own)) throw refuse(`whose tag has not the form of one`);
  return { registry, name, tag: own };
}

/** As it is written. */
export function referenceText({ registry, name, tag }: Reference): string {
  return `${registry}/${name}:${tag}`;
}
