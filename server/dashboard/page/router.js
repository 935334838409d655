// router: what stands behind the # chooses the view. A view is a function (place, parts, query) that fills `place` and
// returns what ends it (or nothing); changes within the same view come to its `moved`, if it has one.

let current = null;

function parse(hash) {
    const [path, query] = hash.replace(/^#?\/?/, "").split("?");
    return {
        parts: path.split("/").filter(Boolean).map(decode),
        query: new URLSearchParams(query || ""),
    };
}

function decode(part) {
    try {
        return decodeURIComponent(part);
    } catch {
        return part;
    }
}

function mark(nav, first) {
    for (const link of nav.querySelectorAll("a"))
        if (parse(link.getAttribute("href")).parts[0] === first)
            link.setAttribute("aria-current", "page");
        else
            link.removeAttribute("aria-current");
}

export function route(views, place, nav) {
    let first = true;
    function show() {
        if (location.hash === "#main") // the skip link
            return;
        const { parts, query } = parse(location.hash);
        const choice = views(parts);
        mark(nav, parts[0]);
        if (current && current.key === choice.key && current.view?.moved) {
            current.view.moved(parts, query);
            return;
        }
        current?.view?.end?.();
        place.replaceChildren();
        current = { key: choice.key, view: choice.make(place, parts, query) };
        document.title = `${choice.title} – poold`;
        if (!first) {
            scrollTo(0, 0);
            place.querySelector("h1")?.focus({ preventScroll: true });
        }
        first = false;
    }
    addEventListener("hashchange", show);
    show();
    return {
        // Makes the view anew where it is: what it may do has changed.
        again() {
            current?.view?.end?.();
            current = null;
            first = true; // the focus was not asked to move
            show();
        },
    };
}

// Changes the query of where we are, without a new entry in the history.
export function setQuery(values) {
    const [path, query] = location.hash.split("?");
    const parameters = new URLSearchParams(query || "");
    for (const [name, value] of Object.entries(values))
        if (value === null || value === undefined || value === "")
            parameters.delete(name);
        else
            parameters.set(name, value);
    const string = parameters.toString();
    history.replaceState(null, "", (path || "#/") + (string ? `?${string}` : ""));
}
