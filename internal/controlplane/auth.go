// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"time"

	"gopkg.in/go-jose/go-jose.v2/jwt"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiserverconfig "k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/group"
	"k8s.io/apiserver/pkg/authentication/request/anonymous"
	"k8s.io/apiserver/pkg/authentication/request/bearertoken"
	"k8s.io/apiserver/pkg/authentication/request/union"
	"k8s.io/apiserver/pkg/authentication/request/websocket"
	tokencache "k8s.io/apiserver/pkg/authentication/token/cache"
	"k8s.io/apiserver/pkg/authentication/token/tokenfile"
	tokenunion "k8s.io/apiserver/pkg/authentication/token/union"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/authorization/path"
	authorizerunion "k8s.io/apiserver/pkg/authorization/union"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	serviceaccountstorage "k8s.io/kubernetes/pkg/registry/core/serviceaccount/storage"
	"k8s.io/kubernetes/pkg/serviceaccount"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/pki"
)

const (
	// issuer is the issuer of service account tokens, and their default audience.
	issuer = "https://rdd.rancherdesktop.io"

	adminUser = "rdd:admin"

	maxTokenLifetime = 365 * 24 * time.Hour

	// The API server checks a valid service account token again after this time: an
	// account's tokens are valid for so long after its deletion.
	tokenCacheTTL = 10 * time.Second
)

// openPaths are served without authentication. They show that the server exists and its
// health, but no content.
var openPaths = []string{"/healthz", "/livez", "/readyz", "/version"}

// serviceAccountRegistry creates the registry of service accounts and tokens, which
// reads secrets from the given store.
type serviceAccountRegistry func(options generic.RESTOptionsGetter, secrets *genericregistry.Store) (*serviceaccountstorage.REST, error)

// auth authenticates and authorizes clients.
type auth struct {
	authenticator   authenticator.Request
	audiences       authenticator.Audiences
	authorizer      authorizer.Authorizer
	rules           authorizer.RuleResolver
	serviceAccounts serviceAccountRegistry
	// keys verify service account tokens.
	keys serviceaccount.PublicKeysGetter
}

// newAuth authenticates the administrator and service accounts by their tokens, and no
// other client. The administrator has all permissions, service accounts those of RBAC.
func newAuth(id *pki.Identity, client kubernetes.Interface, informers informers.SharedInformerFactory) (*auth, error) {
	a := &auth{audiences: authenticator.Audiences{issuer}}
	admin := authenticator.WrapAudienceAgnosticToken(a.audiences, tokenfile.New(map[string]*user.DefaultInfo{
		id.AdminToken: {Name: adminUser, Groups: []string{user.SystemPrivilegedGroup}},
	}))
	keys, err := serviceaccount.StaticPublicKeysGetter([]any{id.ServiceAccountKey})
	if err != nil {
		return nil, err
	}
	a.keys = keys
	accounts := serviceaccount.JWTTokenAuthenticator([]string{issuer}, keys, a.audiences,
		serviceaccount.NewValidator(tokenSubjects{client}))
	tokens := tokenunion.New(admin, tokencache.New(accounts, true, tokenCacheTTL, 0))
	a.authenticator = union.NewFailOnError(
		group.NewAuthenticatedGroupAdder(union.New(bearertoken.New(tokens), websocket.NewProtocolAuthenticator(tokens))),
		anonymous.NewAuthenticator(anonymousPaths()),
	)
	signing, err := serviceaccount.JWTTokenGenerator(issuer, id.ServiceAccountKey)
	if err != nil {
		return nil, err
	}
	generator := backdating{signing}
	a.serviceAccounts = func(options generic.RESTOptionsGetter, secrets *genericregistry.Store) (*serviceaccountstorage.REST, error) {
		return serviceaccountstorage.NewREST(options, generator, a.audiences, authorizerfactory.NewAlwaysDenyAuthorizer(),
			maxTokenLifetime, absent{"pods"}, secrets, absent{"nodes"},
			absentConfiguration[*admissionregistrationv1.ValidatingWebhookConfiguration]{},
			absentConfiguration[*admissionregistrationv1.MutatingWebhookConfiguration]{},
			false, maxTokenLifetime)
	}
	return a, a.setAuthorizer(informers)
}

// backdating issues tokens that are valid from [pki.ClockSkew] ago, because the clock
// may be ahead now. Their expiry is as requested.
type backdating struct{ serviceaccount.TokenGenerator }

// GenerateToken implements [serviceaccount.TokenGenerator].
func (b backdating) GenerateToken(ctx context.Context, claims *jwt.Claims, private any) (string, error) {
	dated := *claims
	for _, at := range []**jwt.NumericDate{&dated.IssuedAt, &dated.NotBefore} {
		if *at != nil {
			*at = jwt.NewNumericDate((*at).Time().Add(-pki.ClockSkew))
		}
	}
	return b.TokenGenerator.GenerateToken(ctx, &dated, private)
}

func (a *auth) setAuthorizer(informers informers.SharedInformerFactory) error {
	open, err := path.NewAuthorizer(openPaths)
	if err != nil {
		return err
	}
	lists := informers.Rbac().V1()
	roles := rbac.New(
		&rbac.RoleGetter{Lister: lists.Roles().Lister()},
		&rbac.RoleBindingLister{Lister: lists.RoleBindings().Lister()},
		&rbac.ClusterRoleGetter{Lister: lists.ClusterRoles().Lister()},
		&rbac.ClusterRoleBindingLister{Lister: lists.ClusterRoleBindings().Lister()},
	)
	a.rules = roles
	a.authorizer, err = authorizerunion.New(
		authorizerunion.NamedAuthorizer{AuthorizerName: "admin", Authorizer: authorizerfactory.NewPrivilegedGroups(user.SystemPrivilegedGroup)},
		authorizerunion.NamedAuthorizer{AuthorizerName: "open", Authorizer: open},
		authorizerunion.NamedAuthorizer{AuthorizerName: "rbac", Authorizer: roles},
	)
	return err
}

func anonymousPaths() []apiserverconfig.AnonymousAuthCondition {
	conditions := make([]apiserverconfig.AnonymousAuthCondition, len(openPaths))
	for i, path := range openPaths {
		conditions[i].Path = path
	}
	return conditions
}

// tokenSubjects reads the objects that a service account token is bound to.
type tokenSubjects struct{ client kubernetes.Interface }

var _ serviceaccount.ServiceAccountTokenGetter = tokenSubjects{}

func (t tokenSubjects) GetServiceAccount(ctx context.Context, namespace, name string) (*corev1.ServiceAccount, error) {
	return t.client.CoreV1().ServiceAccounts(namespace).Get(ctx, name, metav1.GetOptions{})
}

func (t tokenSubjects) GetSecret(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	return t.client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
}

func (tokenSubjects) GetPod(_ context.Context, _, name string) (*corev1.Pod, error) {
	return nil, notFound("pods", name)
}

func (tokenSubjects) GetNode(_ context.Context, name string) (*corev1.Node, error) {
	return nil, notFound("nodes", name)
}

func (t tokenSubjects) GetValidatingWebhookConfiguration(ctx context.Context, name string) (*admissionregistrationv1.ValidatingWebhookConfiguration, error) {
	return t.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, name, metav1.GetOptions{})
}

func (t tokenSubjects) GetMutatingWebhookConfiguration(ctx context.Context, name string) (*admissionregistrationv1.MutatingWebhookConfiguration, error) {
	return t.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, name, metav1.GetOptions{})
}

// absent is the registry of a resource that RDD does not serve.
type absent struct{ resource string }

func (a absent) Get(_ context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	return nil, notFound(a.resource, name)
}

// absentConfiguration rejects tokens bound to webhook configurations.
type absentConfiguration[T any] struct{}

func (absentConfiguration[T]) Get(_ context.Context, name string, _ metav1.GetOptions) (T, error) {
	var none T
	return none, notFound("webhookconfigurations", name)
}

func notFound(resource, name string) error {
	return apierrors.NewNotFound(schema.GroupResource{Resource: resource}, name)
}
