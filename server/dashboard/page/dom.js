// dom: makes elements. Text goes in as text only, so nothing that a job returns can become markup.

const SVG = "http://www.w3.org/2000/svg";

function put(element, properties) {
    for (const [name, value] of Object.entries(properties)) {
        if (value === undefined || value === null || value === false)
            continue;
        if (name.startsWith("on"))
            element.addEventListener(name.slice(2), value);
        else
            element.setAttribute(name, value === true ? "" : value);
    }
}

function add(element, children) {
    for (const child of children.flat())
        if (child !== undefined && child !== null && child !== false)
            element.append(child);
    return element;
}

// h("a", {href: "#/"}, "text", other, [more]): an element; on… are listeners.
export function h(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    put(element, properties);
    return add(element, children);
}

export function svg(tag, properties = {}, ...children) {
    const element = document.createElementNS(SVG, tag);
    put(element, properties);
    return add(element, children);
}

// Sets the text only where it differs: a selection stays, and a screen reader is not told the same again.
export function text(element, value) {
    const string = String(value);
    if (element.textContent !== string)
        element.textContent = string;
}

export function attribute(element, name, value) {
    if (value === null || value === undefined || value === false)
        element.removeAttribute(name);
    else if (element.getAttribute(name) !== String(value))
        element.setAttribute(name, value);
}

// Keeps the children of `parent` those of `items`, in their order: make(item) → an element, update(element, item).
// Elements live on under their key, so focus and selection stay where they are.
export function keep(parent, items, key, make, update) {
    const old = new Map();
    for (const child of parent.children)
        old.set(child.dataset.key, child);
    let at = parent.firstElementChild;
    for (const item of items) {
        const name = String(key(item));
        let element = old.get(name);
        old.delete(name);
        if (!element) {
            element = make(item);
            element.dataset.key = name;
        }
        update(element, item);
        if (element === at)
            at = at.nextElementSibling;
        else
            parent.insertBefore(element, at);
    }
    for (const element of old.values())
        element.remove();
}

// The element of `root` that has data-part="name".
export function part(root, name) {
    return root.querySelector(`[data-part="${name}"]`);
}

export function heading(title, ...rest) {
    return h("div", { class: "heading" }, h("h1", { tabindex: "-1" }, title), ...rest);
}

export function empty(title, ...more) {
    return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), more.length ? h("p", {}, ...more) : null);
}

// A control with its label, which stay together on a narrow screen.
export function field(label, control) {
    return h("span", { class: "field" }, h("label", { for: control.id }, label), control);
}
