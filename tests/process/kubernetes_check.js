/* Checks objects against Kubernetes' own schema, as kubectl does: wrong types, what is missing, and fields that there
 * are not. For deploy_schemas_test.py:
 *
 *   node kubernetes_check.js FOLDER_OF_kubernetes-models <objects.json      prints a line for each fault
 *
 * The validators of kubernetes-models are compiled code that says nothing of fields it does not know; these are the
 * ones that it never looks at. */
"use strict";
const fs = require("fs");
const path = require("path");

/* `value` as it is, but `looked` tells which of its fields, by path, were read. */
function watched(value, at, looked) {
  if (value === null || typeof value !== "object") return value;
  const inside = {};
  for (const key of Object.keys(value)) {
    inside[key] = watched(value[key], `${at}/${key}`, looked);
    looked.set(`${at}/${key}`, Array.isArray(value));
  }
  return new Proxy(value, {
    get(target, key) {
      if (!Object.hasOwn(inside, key)) return target[key];
      looked.set(`${at}/${key}`, true);
      return inside[key];
    },
  });
}

function faults(object) {
  const [group, version] = object.apiVersion.includes("/") ? object.apiVersion.split("/") : ["core", object.apiVersion];
  const upper = (word) => word[0].toUpperCase() + word.slice(1);
  const schema = `IoK8sApi${upper(group)}${upper(version)}${object.kind}.js`;
  const { validate } = require(path.join(path.resolve(process.argv[2]), "_schemas", schema));
  const looked = new Map();
  validate(watched(object, "", looked));
  return [
    ...(validate.errors || []).map((e) => `${e.instancePath}: ${e.keyword} ${JSON.stringify(e.params)}`),
    ...[...looked].filter(([, seen]) => !seen).map(([field]) => `${field}: there is no such field`),
  ];
}

for (const object of JSON.parse(fs.readFileSync(0, "utf8")))
  for (const fault of faults(object)) console.log(`${object.kind} ${fault}`);
