/**
 * What the provisioner `autocert` may do at the CA. Pure.
 *
 * Its certificates are not renewed at the CA: each renewal is a new request to Autocert, judged anew, so that a right
 * ends with its pod, label or policy. And a name that is too long for a common name is carried in the SAN alone.
 * @module
 */
import { type CaNameRules, Provisioner } from '../contract.ts';
import { MAX_COMMON_NAME } from '../policy/lifetimes.ts';
import { withNameRules } from './name-rules.ts';

/**
 * Template of leaf certificates: step-ca's default one (`x509util.DefaultLeafTemplate`), but that a common name of more
 * than 64 characters is left out (RFC 5280, §4.1.2.6). The subject is then empty, and step-ca makes the SAN critical.
 */
export const LEAF_TEMPLATE = `{
	"subject": {{ if gt (len .Subject.CommonName) ${MAX_COMMON_NAME} }}{}{{ else }}{{ toJson .Subject }}{{ end }},
	"sans": {{ toJson .SANs }},
{{- if typeIs "*rsa.PublicKey" .Insecure.CR.PublicKey }}
	"keyUsage": ["keyEncipherment", "digitalSignature"],
{{- else }}
	"keyUsage": ["digitalSignature"],
{{- end }}
	"extKeyUsage": ["serverAuth", "clientAuth"]
}`;

/** Settings of step-ca, as far as they are not looked into. */
export type Settings = Readonly<Record<string, unknown>>;

/** A provisioner in step-ca's configuration, of any type. Go writes what is absent as `null`, too. */
export interface ConfiguredProvisioner {
  readonly name: string;
  /** Limits of this provisioner, such as `maxTLSCertDuration`; they override those of the CA. */
  readonly claims?: object | null;
  readonly options?: (Settings & { readonly x509?: Settings | null }) | null;
}

/**
 * The provisioner as it has to be in step-ca's configuration: `autocert` with its rules, any other as it is. A template
 * of the user's own stays; it has to leave out long common names itself.
 * @param names which names it signs; absent: any
 * @throws AutocertError `INVALID_CONFIG` when `names` cannot be put before a template of the user's own
 */
export function withAutocertRules<P extends ConfiguredProvisioner>(provisioner: P, names?: CaNameRules): P {
  if (provisioner.name !== Provisioner.autocert) return provisioner;
  const { claims, options } = provisioner;
  const own = options?.x509;
  const x509 = own?.template || own?.templateFile ? own : { ...own, template: LEAF_TEMPLATE };
  return {
    ...provisioner,
    claims: { ...claims, disableRenewal: true },
    options: { ...options, x509: names ? withNameRules(x509, names) : x509 },
  };
}
