/**
 * Answers that hardly ever change, for those who look again and again.
 * @module
 */

/**
 * How long an answer is believed, milliseconds. Labels, mode and registrations change when somebody applies other manifests, and
 * the webhook itself learns of its configuration only when kubelet has brought the ConfigMap into its volume, which takes up to
 * a minute or two.
 */
export const REMEMBERED_MS = 30_000;

/**
 * `read`, asked at most every {@link REMEMBERED_MS}; a failure is not kept. It remembers one answer: ask always the same.
 * @param monotonic milliseconds
 * @param isKept whether an answer is worth keeping
 */
export function remember<A extends readonly unknown[], T>(
  read: (...from: A) => Promise<T>,
  monotonic: () => number,
  isKept: (answer: T) => boolean = () => true,
): (...from: A) => Promise<T> {
  let known: { readonly until: number; readonly answer: Promise<T> } | undefined;
  const forget = () => {
    known = undefined;
  };
  return (...from) => {
    if (known && monotonic() < known.until) return known.answer;
    const answer = read(...from);
    known = { until: monotonic() + REMEMBERED_MS, answer };
    answer.then((value) => isKept(value) || forget(), forget);
    return answer;
  };
}
