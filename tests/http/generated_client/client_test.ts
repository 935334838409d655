// What a person writes who has a client generated from openapi.yaml: run against a real poold, and, by the compiler, held to
// the types that the document gives. run.sh generates `./api`, compiles and runs this with poold's address and a token.
import {
    addItems, cancelJob, closeJob, createDict, createQueue, deleteJob, getElements, getHealth, getItem, getJob, getOpenapi,
    getPool, getReadiness, getResults, inspectQueue, listFunctions, listJobs, listWorkers, operateDict, putElements,
    readDict, retryJob, setDictKey, submitJob,
} from "./api";
import { client } from "./api/client.gen";
import type { ErrorObject, Job, Problem, ResultLine, Submission } from "./api";

declare const process: { argv: string[]; exitCode: number };

function same(found: unknown, wanted: unknown, what: string): void {
    if (JSON.stringify(found) !== JSON.stringify(wanted))
        throw new Error(`${what}: ${JSON.stringify(found)}, and not ${JSON.stringify(wanted)}`);
}

// The data of an answer that has some (a 204 has none), or its problem as an exception.
type Data<T> = Exclude<T, void | null | undefined>;
async function must<T>(answer: Promise<{ data?: T; error?: unknown }>): Promise<Data<T>> {
    const { data, error } = await answer;
    if (error !== undefined || data === undefined || data === null)
        throw new Error(`refused: ${JSON.stringify(error)}`);
    return data as Data<T>;
}

const submit = (body: Submission): Promise<Job> => must(submitJob({ body, query: { wait: 30 } }));

// A line has a value or an error: the compiler knows which.
function outcome(line: ResultLine): unknown {
    if ("error" in line) {
        const error: ErrorObject = line.error;
        return error.type;
    }
    return line.value;
}

async function map(): Promise<void> {
    const job = await submit({ function: "cube", map: [1, 2, "three", 4] });
    same([job.state, job.counts.succeeded, job.counts.failed], ["failed", 3, 1], "the job");
    const first = await must(getResults({ path: { id: job.id }, query: { format: "json", limit: 3 } }));
    same(first.results.map(outcome), [1, 8, "error"], "the first page");
    same([first.next, first.end], [3, false], "where it goes on");
    const rest = await must(getResults({ path: { id: job.id }, query: { format: "json", from: first.next ?? 0 } }));
    same([rest.results.map(outcome), rest.end], [[64], true], "the second page");
    const item = await must(getItem({ path: { id: job.id, index: 2 } }));
    same([item.state, item.item, item.error?.attempts], ["failed", "three", 1], "an item");
    const again = await must(retryJob({ path: { id: job.id }, query: { wait: 30 } }));
    same([again.retry_of, again.counts.total], [job.id, 1], "the retry");
    const page = await must(listJobs({ query: { function: "cube", limit: 1, state: "failed" } }));
    same([page.jobs.map((one) => one.id), page.next], [[again.id], again.id], "the newest job");
}

// NDJSON is a text to a generated client: its lines are those of the document.
async function stream(): Promise<void> {
    const { id } = await submit({ function: "square", map: [5, 6] });
    const { response } = await getResults({ path: { id }, query: { order: "input" }, parseAs: "stream" });
    const lines = (await response.text()).split("\n").filter(Boolean).map((line) => JSON.parse(line));
    const results: ResultLine[] = lines.slice(0, -1);
    same([results.map(outcome), lines.at(-1).end], [[25, 36], true], "the stream");
}

async function life(): Promise<void> {
    const apply = await submit({ function: "fibonacci", apply: 10, timeout: 5, isolation: "pool" });
    same([apply.kind, apply.value], ["apply", 55], "an apply");
    const open = await must(submitJob({ body: { function: "echo", map: [], open: true, name: "from a client" } }));
    same((await must(addItems({ path: { id: open.id }, body: [1, { a: null }] }))).total, 2, "items");
    await must(closeJob({ path: { id: open.id } }));
    const closed = await must(getJob({ path: { id: open.id }, query: { wait: 30 } }));
    same([closed.state, closed.name], ["succeeded", "from a client"], "the open job");
    const long = await must(submitJob({ body: { function: "sleep", map: [60, 60] } }));
    await must(cancelJob({ path: { id: long.id } }));
    same((await must(getJob({ path: { id: long.id }, query: { wait: 30 } }))).state, "cancelled", "the cancelled job");
    same((await deleteJob({ path: { id: long.id } })).response.status, 204, "delete");
}

async function pool(): Promise<void> {
    const { functions } = await must(listFunctions());
    const square = functions.find((one) => one.name === "square");
    same([square?.kind, square?.state], ["builtin", "ready"], "a function");
    same((await must(getPool())).processes, 2, "the pool");
    same((await must(listWorkers())).workers.length, 2, "the workers");
    same((await must(getHealth())).status, "ok", "alive");
    same((await must(getOpenapi({ parseAs: "text" }))).startsWith("openapi: 3.1"), true, "the document");
}

async function objects(): Promise<void> {
    const queue = { name: "results" };
    await must(createQueue({ path: queue, body: { maxsize: 10 } }));
    same((await must(putElements({ path: queue, body: { values: [1, "two", [3]] } }))).size, 3, "put");
    const got = await must(getElements({ path: queue, query: { n: 2, lease: 60 } }));
    same([got.values, got.leases?.length], [[1, "two"], 2], "get");
    same((await must(inspectQueue({ path: queue }))).leased, 2, "the queue");
    const dict = { name: "shared" };
    await must(createDict({ path: dict }));
    const { version } = await must(setDictKey({ path: { ...dict, key: "a/b" }, body: 1 }));
    const added = await must(operateDict({ path: dict, body: { add: { key: "a/b", by: 41 } } }));
    same([added.value, added.version], [42, version + 1], "add");
    same((await must(readDict({ path: dict }))).items, { "a/b": 42 }, "the dict");
    const late = await setDictKey({ path: { ...dict, key: "a/b" }, body: 0, headers: { "If-Match": `"${version}"` } });
    same([late.response.status, late.error?.type], [412, "urn:poold:problem:changed"], "compare and set");
}

// Problems are typed: `type` is one of those that there are.
async function problems(): Promise<void> {
    const { data, error, response } = await submitJob({ body: { function: "nothing", map: [] } });
    const problem: Problem | undefined = error;
    same([data, response.status, problem?.type, problem?.status],
        [undefined, 422, "urn:poold:problem:unknown-function", 422], "an unknown function");
    const none = await getJob({ path: { id: "0000000000000001" } });
    switch (none.error?.type) {
    case "urn:poold:problem:not-found":
        break;
    default:
        throw new Error(`a job that never was: ${none.error?.type}`);
    }
    const stranger = await getPool({ auth: () => "another token that is long enough" });
    same([stranger.response.status, stranger.error?.type], [401, "urn:poold:problem:unauthorized"], "another token");
}

// What the document does not allow does not compile.
export function refused(line: ResultLine, job: Job): unknown[] {
    return [
        // @ts-expect-error: a job needs a function
        () => submitJob({ body: { map: [1] } }),
        // @ts-expect-error: there is no such option
        () => submitJob({ body: { function: "square", map: [1], retries: 3 } }),
        // @ts-expect-error: there is no such state
        () => listJobs({ query: { state: "done" } }),
        // @ts-expect-error: a path has its parameters
        () => getItem({ path: { id: job.id } }),
        // @ts-expect-error: a line may have an error instead
        line.value,
        // @ts-expect-error: there is no such problem
        (problem: Problem): boolean => problem.type === "urn:poold:problem:bad-luck",
    ];
}

async function main(): Promise<void> {
    const [url, token] = process.argv.slice(2);
    client.setConfig({ baseUrl: url as "http://localhost:8080", auth: () => token });
    while ((await getReadiness()).response.status !== 200)
        await new Promise((resolve) => setTimeout(resolve, 20));
    for (const test of [map, stream, life, pool, objects, problems]) {
        await test();
        console.log(`ok ${test.name}`);
    }
}

main().catch((error) => {
    console.error(error);
    process.exitCode = 1;
});
