/**
 * Has step-ca itself refuse names: a template of certificates that fails unless rules allow each of them. It holds when
 * webhook or signer is taken over, and whoever did that asks step-ca with the password of the provisioner `autocert`.
 *
 * A template is the only means that step-ca offers for this. Its `authority.policy` binds all provisioners alike, knows
 * `*.` as a single label in front only, and of URIs the host only; that of a single provisioner cannot be configured in
 * `ca.json`. The rules are data (`templateData`), so that nothing that a user gave is ever read as a template. What a
 * request brings in `templateData` of its own is at `.Insecure.User`, where this does not look.
 * @module
 */
import type { CaNameRules } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import { list, object, text } from '../lib/validator.ts';
import { MAX_SANS } from '../policy/lifetimes.ts';

/** What {@link CaNameRules} have to be. */
export const NAME_RULES = object({
  own: list(text),
  neverDns: list(text),
  patterns: text,
  dns: list(text),
  clusterDns: list(text),
  notClusterDns: list(text),
  shortDns: list(text),
  notShortDns: list(text),
  topLevel: text,
  neverIp: list(text),
  ip: list(text),
  neverUri: list(text),
  uri: list(text),
});

/** Where the rules are in a template's data. */
const KEY = 'autocertNames';

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
/** The one spelling of a host name: `hostProblem` of `policy/names.ts`. */
const HOST = `^([*][.])?${LABEL}([.]${LABEL})*$`;
/** A label of more than 63 characters; and a last one that is a number, since the host is an address to some programs. */
const NO_HOST = '[^.]{64}|(^|[.])([0-9]+|0x[0-9a-f]*)$';
/** A segment of a path that leads elsewhere. */
const DOTS = '/[.][.]?(/|$)';

/** Sets `$found`: whether a regular expression of a list of the rules matches. `must`: one that is none fails the request. */
const look = (list: string, value: string) =>
  `{{- $found = false }}{{- range $rules.${list} }}{{- if not $found }}{{- $found = mustRegexMatch . ${value} }}{{- end }}{{- end }}`;

/** Sets `$allowed`: whether a pattern matches: the name itself, or a wildcard before what is behind one of its labels. */
const PATTERNS = `
{{- $labels := splitList "." $value }}
{{- $allowed = or (contains (printf " %s " $value) $rules.patterns) (contains (printf " *.%s " (join "." (rest $labels))) $rules.patterns) }}
{{- range $index, $label := $labels }}
{{- if not $allowed }}{{ $allowed = contains (printf " **.%s " (join "." (slice $labels (int (add1 $index))))) $rules.patterns }}{{ end }}
{{- end }}`;

/** Sets `$hex` to an address's hexadecimal digits, all of them: `$value` is as Go writes addresses (RFC 5952). */
const HEXADECIMAL = `
{{- $hex := "" }}
{{- if contains ":" $value }}
{{- $sides := splitList "::" $value }}
{{- $left := compact (splitList ":" (first $sides)) }}
{{- $right := list }}
{{- if gt (len $sides) 1 }}{{ $right = compact (splitList ":" (last $sides)) }}{{ end }}
{{- range $left }}{{ $hex = printf "%s%s" $hex (trunc -4 (printf "0000%s" .)) }}{{ end }}
{{- range until (int (sub 8 (add (len $left) (len $right)))) }}{{ $hex = printf "%s0000" $hex }}{{ end }}
{{- range $right }}{{ $hex = printf "%s%s" $hex (trunc -4 (printf "0000%s" .)) }}{{ end }}
{{- else }}
{{- range splitList "." $value }}{{ $hex = printf "%s%02x" $hex (atoi .) }}{{ end }}
{{- end }}`;

/**
 * Adds the common name to `$asked` where it is none of the SANs, which `autocert.step.sm/sans` replaces: to some programs
 * it is a name all the same. An address in another spelling than Go's is taken for a host name, and is none.
 */
const COMMON_NAME = `
{{- $asked := .SANs }}
{{- $common := .Subject.CommonName }}
{{- $values := list }}
{{- range .SANs }}{{ $values = append $values .Value }}{{ end }}
{{- if not (has $common $values) }}
{{- $type := "dns" }}
{{- if or (contains "://" $common) (hasPrefix "urn:" $common) }}{{ $type = "uri" }}
{{- else if mustRegexMatch "^[0-9a-f:]*:[0-9a-f:]*$|^((25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])([.]|$)){4}$" $common }}{{ $type = "ip" }}{{ end }}
{{- $asked = append $asked (dict "Type" $type "Value" $common) }}
{{- end }}`;

/** Fails, with the name, unless the rules allow all names; what a certificate is made of comes behind it. */
export const NAME_CHECK = `{{- $rules := .${KEY} }}
{{- $found := false }}
{{- if gt (len .SANs) ${MAX_SANS} }}{{ fail (printf "%d names are more than ${MAX_SANS}" (len .SANs)) }}{{ end }}
${COMMON_NAME.trim()}
{{- range $asked }}
{{- $value := .Value }}
{{- $allowed := false }}
{{- if eq .Type "dns" }}
{{- if has $value $rules.own }}{{ $allowed = true }}
{{- else if and (le (len $value) 253) (mustRegexMatch "${HOST}" $value) (not (mustRegexMatch "${NO_HOST}" $value)) }}
${look('neverDns', '$value')}
{{- if not $found }}
${PATTERNS.trim()}
{{- if not $allowed }}
${look('dns', '$value')}
{{- $allowed = $found }}
{{- end }}
{{- if not $allowed }}
${look('clusterDns', '$value')}
{{- if not (or $found (contains (printf " %s " (last $labels)) $rules.topLevel)) }}
${look('shortDns', '$value')}
{{- if $found }}
${look('notShortDns', '$value')}
{{- $found = not $found }}
{{- end }}
{{- end }}
{{- if $found }}
${look('notClusterDns', '$value')}
{{- $allowed = not $found }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- else if eq .Type "ip" }}
${HEXADECIMAL.trimStart()}
${look('neverIp', '$hex')}
{{- if not $found }}
${look('ip', '$hex')}
{{- $allowed = $found }}
{{- end }}
{{- else if eq .Type "uri" }}
${look('neverUri', '$value')}
{{- if not (or $found (mustRegexMatch "${DOTS}" $value)) }}
${look('uri', '$value')}
{{- $allowed = $found }}
{{- end }}
{{- end }}
{{- if not $allowed }}{{ fail (printf "%s name %s is none that the provisioner autocert may have signed" .Type (quote (trunc 253 $value))) }}{{ end }}
{{- end -}}
`;

type Settings = Readonly<Record<string, unknown>>;

/**
 * The options `x509` of a provisioner that has a template, with a check before it that goes by the rules.
 * @throws AutocertError `INVALID_CONFIG` when the template is not there as text
 */
export function withNameRules(x509: Settings, rules: CaNameRules): Settings {
  const { template, templateData } = x509;
  if (typeof template !== 'string' || !template.trimStart().startsWith('{')) {
    throw new AutocertError(
      'INVALID_CONFIG',
      'the provisioner autocert has a template of its own in which names cannot be checked: give it as text in options.x509.template, or set autocertNames of StepCa to "any"',
    );
  }
  const checked = template.startsWith(NAME_CHECK) ? template : `${NAME_CHECK}${template}`;
  return { ...x509, template: checked, templateData: { ...(templateData as object | null | undefined), [KEY]: rules } };
}
