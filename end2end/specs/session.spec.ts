// Signing in and out, what leaves with every answer, and what programs ask.
import { navigation } from "../support/actions.ts";
import { expect, test, world } from "../support/fixtures.ts";

test.describe("signing in", () => {
  for (const target of ["//evil.example", "/\\evil.example", "https://evil.example", "/signin?return_to=//evil.example", "javascript:alert(1)"]) {
    test(`does not lead to ${target}`, async ({ page, signIn }) => {
      await signIn(page, "auditor", `/signin?return_to=${encodeURIComponent(target)}`);
      await expect(page).toHaveURL("/");
      await expect(page.getByRole("heading", { level: 1 })).toHaveText("Overview");
      // Whoever is signed in already goes on, and no further than here.
      await page.goto(`/signin?return_to=${encodeURIComponent(target)}`);
      await expect(page).toHaveURL("/");
    });
  }

  test("the page says where one is led", async ({ page, accessible, fits }) => {
    await page.goto("/audit?outcome=denied");
    await expect(page).toHaveURL(/\/signin\?return_to=%2Faudit%3Foutcome%3Ddenied$/);
    await expect(page.locator("main")).toContainText("/audit?outcome=denied");
    await accessible(page);
    await page.setViewportSize({ width: 390, height: 844 });
    await fits(page);
  });

  test("an answer that nobody asked for is refused in plain words", async ({ page, accessible }) => {
    const answer = await page.goto("/oidc/callback?code=stolen&state=unknown");
    expect(answer?.status()).toBe(400);
    await expect(page.getByRole("link", { name: "Sign in again" })).toBeVisible();
    await expect(page.locator("body")).not.toContainText("stolen");
    await accessible(page);
    await page.goto("/");
    await expect(page).toHaveURL(/\/signin$/);
  });

  test("the session's cookie is out of reach of scripts and other sites", async ({ as }) => {
    const page = await as("ai");
    const cookies = (await page.context().cookies()).filter((cookie) => cookie.domain === "127.0.0.1");
    const session = cookies.filter((cookie) => cookie.httpOnly);
    expect(session.map((cookie) => cookie.name)).toHaveLength(1);
    expect(session[0]).toMatchObject({ httpOnly: true, sameSite: "Lax", path: "/" });
    expect(session[0].name).toMatch(/gatehouse/);
  });
});

test("signing out ends the session, here and for its cookie", async ({ page, signIn, browser, baseURL }) => {
  await signIn(page, "auditor", "/audit");
  const kept = await page.context().storageState();
  await page.locator("summary", { hasText: "Ingrid Larsen" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(/\/signed-out|\/session\/end/);
  // The provider asks once more whether to end its session too.
  const confirm = page.getByRole("button", { name: /sign.?out|yes/i });
  if (!page.url().startsWith(baseURL ?? "")) await confirm.first().click();
  await expect(page).toHaveURL(/\/signed-out/);
  await expect(page.getByText("You are signed out", { exact: true })).toBeVisible();
  await page.goto("/audit");
  await expect(page).toHaveURL(/\/signin/);

  // A copy of the cookie opens nothing.
  const thief = await browser.newContext({ storageState: kept });
  const copy = await thief.newPage();
  await copy.goto("/audit");
  await expect(copy).toHaveURL(/\/signin/);
  await thief.close();
});

test.describe("every answer", () => {
  for (const path of ["/", "/signin", "/catalog", "/no-such-page", "/healthz", "/pkg/gatehouse.css"]) {
    test(`${path} carries the security headers`, async ({ as }) => {
      const page = await as("ai");
      const answer = await page.request.get(path, { maxRedirects: 0 });
      const headers = answer.headers();
      const policy = headers["content-security-policy"];
      expect(policy).toContain("default-src 'self'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).toContain("base-uri 'none'");
      expect(policy).toContain("object-src 'none'");
      expect(policy).not.toContain("unsafe-inline");
      expect(policy).not.toContain("'unsafe-eval'");
      expect(policy).toMatch(/script-src 'self' 'nonce-[^']{16,}'/);
      expect(headers).toMatchObject({
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
      });
      expect(headers["permissions-policy"]).toContain("camera=()");
      expect(headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
      if (!path.startsWith("/pkg/")) expect(headers["cache-control"]).toBe("no-store");
    });
  }

  test("has a nonce of its own", async ({ as }) => {
    const page = await as("ai");
    const nonce = async () => (await page.request.get("/")).headers()["content-security-policy"].match(/nonce-([^']+)/)?.[1];
    expect(await nonce()).not.toBe(await nonce());
  });
});

test.describe("a form from another site", () => {
  test("changes nothing", async ({ as }) => {
    const page = await as("ai");
    await page.goto("/requests");
    const before = await page.getByRole("button", { name: "Discard" }).count();
    for (const headers of [
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: new URL(world().provider.issuer).origin },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
    ] as Record<string, string>[]) {
      const answer = await page.request.post("/deploy", { form: { blank: "1" }, headers, maxRedirects: 0 });
      expect(answer.status(), JSON.stringify(headers)).toBe(403);
      expect(await answer.text()).toContain("came from another site");
    }
    await page.goto("/requests");
    await expect(page.getByRole("button", { name: "Discard" })).toHaveCount(before);
  });

  test("that a browser sends is refused", async ({ as, baseURL }) => {
    const page = await as("ai");
    await page.route("https://evil.example/", (route) =>
      route.fulfill({
        contentType: "text/html",
        body: `<form method="post" action="${baseURL}/deploy"><input type="hidden" name="blank" value="1"><button>Win</button></form>`,
      }),
    );
    await page.goto("https://evil.example/");
    const answer = page.waitForResponse((response) => response.url() === `${baseURL}/deploy`);
    await page.getByRole("button", { name: "Win" }).click();
    // Another site's form comes without the session's cookie, and is refused for where it comes from.
    expect((await answer).status()).toBe(403);
    await expect(page.getByText("This form came from another site")).toBeVisible();
  });
});

test.describe("nobody signed in", () => {
  test("sees no page and sends no form", async ({ page, request, baseURL }) => {
    for (const path of ["/", "/catalog", "/deployments", "/approvals", "/changes", "/clusters", "/audit", "/registries", "/requests"]) {
      await page.goto(path);
      await expect(page).toHaveURL(/\/signin/);
    }
    const headers = { origin: baseURL ?? "" };
    const form = { blank: "1" };
    expect((await request.post("/deploy", { form, headers, maxRedirects: 0 })).status()).toBe(401);
    expect((await request.get("/events", { headers: { accept: "text/event-stream" }, maxRedirects: 0 })).status()).toBe(401);
    expect((await request.get("/audit/export", { headers: { accept: "application/json" }, maxRedirects: 0 })).status()).toBe(401);
  });
});

test.describe("programs", () => {
  test("ask whether it is alive and ready, and for figures", async ({ request }) => {
    for (const path of ["/healthz", "/readyz"]) {
      const answer = await request.get(path);
      expect(answer.status()).toBe(200);
      expect(await answer.text()).toBe("ok\n");
    }
    const answer = await request.get("/metrics");
    expect(answer.status()).toBe(200);
    expect(answer.headers()["content-type"]).toContain("version=0.0.4");
    const text = await answer.text();
    for (const cluster of world().clusters) {
      expect(text).toMatch(new RegExp(`gatehouse_cluster_reachable\\{cluster="${cluster.name}"\\} 1`));
    }
    // Nothing of people and places in figures.
    expect(text).not.toMatch(/oidc:|example\.com|gatehouse-session/);
  });

  test("a registry's notification needs the registry's token", async ({ request }) => {
    const send = (headers: Record<string, string>) => request.post("/hooks/registry", { data: { events: [] }, headers });
    expect((await send({})).status()).toBe(401);
    expect((await send({ authorization: "Bearer wrong" })).status()).toBe(401);
  });

  test("a logout token that is none is refused", async ({ request }) => {
    const answer = await request.post("/oidc/backchannel-logout", { form: { logout_token: "a.b.c" } });
    expect(answer.status()).toBe(400);
    expect(await answer.json()).toMatchObject({ error: "invalid_request" });
  });
});

test("the theme is remembered without a script", async ({ as }) => {
  const page = await as("appdev", "/catalog?sort=size");
  await page.locator("summary", { hasText: "Mei Chen" }).click();
  await page.getByRole("button", { name: "Dark" }).click();
  await expect(page).toHaveURL(/\/catalog\?sort=size$/);
  await expect(page.locator("html")).toHaveClass(/pf-v6-theme-dark/);
  await navigation(page, "Overview").click();
  await expect(page.locator("html")).toHaveClass(/pf-v6-theme-dark/);
  await page.locator("summary", { hasText: "Mei Chen" }).click();
  await page.getByRole("button", { name: "System" }).click();
  await expect(page.locator("html")).not.toHaveClass(/pf-v6-theme-dark/);
});
