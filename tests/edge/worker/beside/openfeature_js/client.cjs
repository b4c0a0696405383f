// What two OpenFeature clients for JavaScript get: node client.cjs URL TARGETING_KEY CONTEXT_JSON
const [url, targetingKey, told] = process.argv.slice(2);
const context = { targetingKey, ...JSON.parse(told) };

const onServer = async () => {
  const { OpenFeature } = require("@openfeature/server-sdk");
  const { OFREPProvider } = require("@openfeature/ofrep-provider");
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: url }));
  const client = OpenFeature.getClient();
  const details = await client.getStringDetails("hero-words", "mine", context);
  const hero = await client.getObjectValue("hero", {}, context);
  const missing = await client.getStringValue("nothing", "mine", context);
  return { value: details.value, variant: details.variant, content: hero.content, missing };
};

const inBrowser = async () => {
  const { OpenFeature, ProviderEvents } = require("@openfeature/web-sdk");
  const { OFREPWebProvider } = require("@openfeature/ofrep-web-provider");
  await OpenFeature.setContext(context);
  // All flags at once, with the ETag that the last answer had.
  const provider = new OFREPWebProvider({ baseUrl: url, pollInterval: 100 });
  await OpenFeature.setProviderAndWait(provider);
  const client = OpenFeature.getClient();
  let changes = 0;
  client.addHandler(ProviderEvents.ConfigurationChanged, () => changes++);
  await new Promise((done) => setTimeout(done, 500));
  const details = client.getStringDetails("hero-words", "mine");
  return { value: details.value, variant: details.variant, changes };
};

(async () => {
  console.log(JSON.stringify({ server: await onServer(), browser: await inBrowser() }));
  process.exit(0);
})();
