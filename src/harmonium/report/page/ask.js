// Questions to the thread that computes: ask(name, given) is a promise of the answer.
const source = new Blob([byId("worker").textContent], { type: "text/javascript" });
const worker = new Worker(URL.createObjectURL(source));
const waiting = new Map();
let asked = 0;

function ask(name, given = {}) {
  const id = (asked += 1);
  worker.postMessage({ id, ask: name, given });
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

worker.addEventListener("message", ({ data: { id, found, failed } }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (failed === undefined) resolve(found);
  else reject(new Error(failed));
});
