/**
 * What the page does to its document. Texts become text nodes and attributes only: there is no way from data to markup.
 * @module
 */

/** An element that is in `index.html`. */
export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the document has no #${id}`);
  return found as E;
}

/** A new element. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Sets a text only where it is another: what has not changed is not read out again. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** The same for an attribute. */
export function setAttribute(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** Elements of a list by their keys, so that focus and what is read out stay where they are while data changes. */
export class KeyedList<T> {
  readonly #parent: Element;
  readonly #create: (item: T) => HTMLElement;
  readonly #update: (element: HTMLElement, item: T) => void;
  #elements = new Map<string, HTMLElement>();

  constructor(
    parent: Element,
    create: (item: T) => HTMLElement,
    update: (element: HTMLElement, item: T) => void = () => {},
  ) {
    this.#parent = parent;
    this.#create = create;
    this.#update = update;
  }

  /** Makes the list what `items` are; `key` tells them apart. */
  show(items: readonly T[], key: (item: T) => string): void {
    const next = new Map<string, HTMLElement>();
    for (const item of items) {
      const element = this.#elements.get(key(item)) ?? this.#create(item);
      this.#update(element, item);
      next.set(key(item), element);
    }
    for (const [id, element] of this.#elements) if (!next.has(id)) element.remove();
    let at: Element | null = this.#parent.firstElementChild;
    for (const element of next.values()) {
      if (element === at) at = at.nextElementSibling;
      else this.#parent.insertBefore(element, at);
    }
    this.#elements = next;
  }
}
