// Shows the OpenAPI document. A separate file, because the content security policy forbids inline scripts.
const container = document.getElementById("swagger-ui");
const csrfToken = document.cookie.match(/(?:^|; )csrftoken=([^;]*)/);

SwaggerUIBundle({
  domNode: container,
  url: container.dataset.document,
  deepLinking: true,
  persistAuthorization: false,
  // Lets signed-in users try out requests with their session instead of a token.
  requestInterceptor: (request) => {
    if (csrfToken) request.headers["X-CSRFToken"] = csrfToken[1];
    return request;
  },
});
