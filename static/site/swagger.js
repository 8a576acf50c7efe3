// Shows the API's document. A file of its own: the site's pages may run no script that stands in the page.
const place = document.getElementById("swagger-ui");
const crossSiteToken = document.cookie.match(/(?:^|; )csrftoken=([^;]*)/);

SwaggerUIBundle({
  domNode: place,
  url: place.dataset.document,
  deepLinking: true,
  persistAuthorization: false,
  // Who is signed in may try out with their session instead of a token.
  requestInterceptor: (request) => {
    if (crossSiteToken) request.headers["X-CSRFToken"] = crossSiteToken[1];
    return request;
  },
});
