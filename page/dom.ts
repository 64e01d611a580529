/** What stands inside an element. Text is text, whatever is in it. */
export type Child = Node | string | number | null | undefined | false | readonly Child[];

type Handlers = { [Name in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[Name]) => void };

export interface Props {
  /** Attributes; `true` sets an empty one, undefined and false none. */
  [attribute: string]: unknown;
  on?: Handlers;
  /** Custom properties and styles; a style attribute would be refused by the page's policy. */
  css?: Record<string, string>;
}

/** Makes an element. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  apply(element, props);
  append(element, children);
  return element;
}

const svgNamespace = 'http://www.w3.org/2000/svg';

/** Makes an element of a drawing. */
export function svg(tag: string, props: Props = {}, ...children: Child[]): SVGElement {
  const element = document.createElementNS(svgNamespace, tag);
  apply(element, props);
  append(element, children);
  return element;
}

function apply(element: HTMLElement | SVGElement, { on = {}, css = {}, ...attributes }: Props): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false || value === null) continue;
    element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const [name, value] of Object.entries(css)) element.style.setProperty(name, value);
  for (const [name, listener] of Object.entries(on))
    element.addEventListener(name, listener as EventListener);
}

export function append(parent: Node, children: readonly Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (child instanceof Node) parent.appendChild(child);
    else if (typeof child === 'string' || typeof child === 'number')
      parent.appendChild(document.createTextNode(String(child)));
    else append(parent, child);
  }
}

/** Puts other children in place of those that are there. */
export function fill(parent: Element, ...children: Child[]): void {
  parent.replaceChildren();
  append(parent, children);
}

/** A colour of the style sheet, as it is in the present scheme. */
export const color = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
